#pragma once
/// The features of all captions of a data set under a frozen text tower, each distinct caption once: later epochs and
/// runs then do not run the tower, whichever of a picture's captions they draw.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/train/feature_file.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// The captions of a data set, each once, in the order in which they appear first.
class DistinctCaptions {
 public:
  explicit DistinctCaptions(const data::Dataset& dataset) {
    for (Index i = 0; i < dataset.size(); ++i) {
      for (const std::string& caption : dataset.annotation(i).captions) {
        const auto [place, is_new] = rows_.try_emplace(caption, size());
        if (is_new) captions_.push_back(&place->first);
      }
    }
  }
  DistinctCaptions(const DistinctCaptions&) = delete;
  DistinctCaptions& operator=(const DistinctCaptions&) = delete;

  [[nodiscard]] Index size() const { return static_cast<Index>(captions_.size()); }
  /// Captions [begin, end).
  [[nodiscard]] std::vector<std::string> slice(Index begin, Index end) const {
    std::vector<std::string> texts;
    for (Index i = begin; i < end; ++i) texts.push_back(*captions_[static_cast<std::size_t>(i)]);
    return texts;
  }
  /// The place of a caption. std::invalid_argument: it is none of these.
  [[nodiscard]] Index row(const std::string& caption) const {
    const auto found = rows_.find(caption);
    if (found == rows_.end())
      fail("train", "no features were cached of the caption \"" + printable(caption, 200) + "\"");
    return found->second;
  }

 private:
  std::unordered_map<std::string, Index> rows_;
  std::vector<const std::string*> captions_;  // keys of rows_
};

namespace detail {

/// Calls f(ids (n, L), first row) for n captions after the others.
template <class T, class F>
void for_each_token_batch(const Pretrained<T>& bundle, const DistinctCaptions& captions, F&& f) {
  constexpr Index batch_size = 256;
  for (Index begin = 0; begin < captions.size(); begin += batch_size) {
    const Index end = std::min(captions.size(), begin + batch_size);
    const tokenizers::TokenBatch tokens = (*bundle.tokenizer)(captions.slice(begin, end));
    f(TensorView<const std::int64_t, 2>(tokens.ids.data(), {end - begin, static_cast<Index>(tokens.context_length)}),
      begin);
  }
}

/// What the features depend on: the tower's weights and precision, and the token ids of the captions.
template <class T>
FeatureFile text_feature_file(const std::string& path, Pretrained<T>& bundle, const DistinctCaptions& captions) {
  std::uint32_t ids_crc = 0;
  for_each_token_batch(bundle, captions, [&](TensorView<const std::int64_t, 2> ids, Index) {
    const auto bytes = static_cast<std::size_t>(ids.size()) * sizeof(std::int64_t);
    ids_crc = image::crc32({reinterpret_cast<const std::uint8_t*>(ids.data()), bytes}, ids_crc);
  });
  return {.path = path,
          .kind = "text",
          .others = "text tower, tokenizer or set of captions",
          .contents = std::to_string(captions.size()) + " captions, token ids " + std::to_string(ids_crc) + ", " +
                      describe_tower(bundle.model.text, bundle.model),
          .rows = captions.size(),
          .width = bundle.embed_dim()};
}

}  // namespace detail

/// One row per distinct caption. Those of the file at `path`; computed and saved there when there is no such file.
/// on_progress(done, total) is called while they are computed. file_error: see cached_features().
template <class T, class Progress>
CachedFeatures cached_text_features(const std::string& path, Pretrained<T>& bundle, const DistinctCaptions& captions,
                                    Progress&& on_progress) {
  return cached_features(detail::text_feature_file(path, bundle, captions), [&] {
    CachedFeatures features;
    features.features.resize({captions.size(), bundle.embed_dim()});
    Workspace workspace;
    detail::for_each_token_batch(bundle, captions, [&](TensorView<const std::int64_t, 2> ids, Index first) {
      const Index end = first + ids.extent(0);
      bundle.model.encode_text(ids, features.features.view().slice(first, end), workspace);
      on_progress(end, captions.size());
    });
    return features;
  });
}

}  // namespace couplet::inline COUPLET_ABI::train
