#pragma once
/// The features of all pictures of a data set under a frozen image tower: later epochs and runs then neither decode
/// pictures nor run the tower. The transform must be deterministic.
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "couplet/data/dataset.hpp"
#include "couplet/image/preprocessor_config.hpp"
#include "couplet/train/embedding.hpp"
#include "couplet/train/feature_file.hpp"

namespace couplet::inline COUPLET_ABI::train {

namespace detail {

/// What the features depend on: the tower's weights and precision, the transform, the samples. Pictures are told by
/// their keys, not by their contents.
template <class T>
FeatureFile image_feature_file(const std::string& path, Pretrained<T>& bundle, const data::Dataset& dataset) {
  std::uint32_t words = text_crc32(image::preprocessor_config_json(bundle.transform.config()));
  for (Index i = 0; i < dataset.size(); ++i) words = text_crc32(dataset.annotation(i).key + '\n', words);
  return {.path = path,
          .kind = "image",
          .others = "image tower, transform or data set",
          .contents = std::to_string(dataset.size()) + " samples, " + std::to_string(words) + ", " +
                      describe_tower(bundle.model.visual, bundle.model),
          .rows = dataset.size(),
          .width = bundle.embed_dim()};
}

}  // namespace detail

/// One row per sample. Those of the file at `path`; computed and saved there when there is no such file.
/// on_progress(done, total) is called while they are computed. file_error: see cached_features().
template <class T, class Progress>
CachedFeatures cached_image_features(const std::string& path, Pretrained<T>& bundle, const data::Dataset& dataset,
                                     Progress&& on_progress) {
  return cached_features(detail::image_feature_file(path, bundle, dataset), [&] {
    const ImageEmbeddings found = embed_images(bundle, dataset, Normalize::no, bundle.transform.decode_options(),
                                               std::forward<Progress>(on_progress));
    CachedFeatures features{.features = {}, .unreadable = found.unreadable};
    features.features.resize({dataset.size(), bundle.embed_dim()});
    features.features.fill(0);
    for (std::size_t row = 0; row < found.indices.size(); ++row) {
      copy(found.embeds.view()[static_cast<Index>(row)], features.features.view()[found.indices[row]]);
    }
    return features;
  });
}

/// A data set whose pictures are known by their features: samples without pixels, and the same ones unreadable.
class WithoutPictures final : public data::Dataset {
 public:
  WithoutPictures(std::shared_ptr<const data::Dataset> whole, const CachedFeatures& features)
      : whole_(std::move(whole)) {
    for (const data::UnreadableSample& sample : features.unreadable) unreadable_[sample.index] = sample.reason;
  }

  [[nodiscard]] Index size() const override { return whole_->size(); }
  [[nodiscard]] data::Sample sample(Index i) const override {
    const auto found = unreadable_.find(i);
    if (found != unreadable_.end()) throw file_error("", found->second);
    return whole_->annotation(i);
  }
  [[nodiscard]] data::Sample annotation(Index i) const override { return whole_->annotation(i); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return whole_->class_names(); }

 private:
  std::shared_ptr<const data::Dataset> whole_;
  std::map<Index, std::string> unreadable_;
};

}  // namespace couplet::inline COUPLET_ABI::train
