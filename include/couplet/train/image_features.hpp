#pragma once
/// The features of all pictures of a data set under a frozen image tower, computed once and kept in a file: later
/// epochs and runs then neither decode pictures nor run the tower. The transform must be deterministic.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/distributed/agreement.hpp"
#include "couplet/image/preprocessor_config.hpp"
#include "couplet/train/embedding.hpp"
#include "couplet/train/training_state.hpp"

namespace couplet::inline COUPLET_ABI::train {

struct ImageFeatures {
  Tensor<float, 2> features;                       ///< (N, E), before l2 normalisation; zeros where unreadable
  std::vector<data::UnreadableSample> unreadable;  ///< ascending
};

namespace detail {

inline constexpr const char* features_format = "couplet image features 1";

/// What the features depend on: the tower's weights and precision, the transform, the samples. Pictures are told by
/// their keys, not by their contents.
inline std::string features_key(Pretrained<float>& bundle, const data::Dataset& dataset) {
  std::uint32_t words = text_crc32(image::preprocessor_config_json(bundle.transform.config()));
  for (Index i = 0; i < dataset.size(); ++i) words = text_crc32(dataset.annotation(i).key + '\n', words);
  const std::vector<StateTensor<float>> tower = state_tensors<float>(bundle.model.visual);
  return std::to_string(dataset.size()) + " samples, " + std::to_string(words) + ", products in " +
         to_string(bundle.model.precision()) + ", tower " +
         state_checksum(tower, pretrained::hugging_face_config(bundle.model.config(), "float32"));
}

inline std::string unreadable_json(const std::vector<data::UnreadableSample>& samples) {
  io::JsonWriter json(0);
  json.begin_array();
  for (const data::UnreadableSample& sample : samples) {
    json.begin_array().value(sample.index).value(sample.reason).end_array();
  }
  return json.end_array().str();
}

inline std::vector<data::UnreadableSample> parse_unreadable(const std::string& text, const std::string& path,
                                                            Index count) {
  std::vector<data::UnreadableSample> samples;
  for (const io::JsonField& field : io::JsonField(io::Json::parse(text, path), path).items()) {
    const std::vector<io::JsonField> pair = field.items();
    if (pair.size() != 2) field.fail("expected an index and a reason");
    samples.push_back({static_cast<Index>(pair[0].integer(0, count - 1)), pair[1].string()});
  }
  return samples;
}

inline std::vector<StateTensor<float>> features_tensor(ImageFeatures& features) {
  return {{"features", Shape(features.features.extents()), features.features.data()}};
}

inline void save_image_features(const std::string& path, ImageFeatures& features, const std::string& key) {
  const std::string unreadable = unreadable_json(features.unreadable);
  const std::vector<StateTensor<float>> tensors = features_tensor(features);
  checkpoint::save_safetensors(path,
                               {checkpoint::tensor_record("features", checkpoint::DType::f32,
                                                          {features.features.extent(0), features.features.extent(1)},
                                                          std::as_const(features.features).data())},
                               {{"format", features_format},
                                {"key", key},
                                {"unreadable", unreadable},
                                {"checksum", state_checksum(tensors, key + unreadable)}});
}

inline ImageFeatures load_image_features(const std::string& path, const std::string& key, Index samples, Index width) {
  const checkpoint::SafetensorsFile file(path);
  if (state_metadata(file, "format") != features_format) throw file_error(path, "image features of another version");
  if (state_metadata(file, "key") != key) {
    throw file_error(path, "holds the features of another image tower, transform or data set: expected \"" + key +
                               "\", found \"" + printable(state_metadata(file, "key"), 200) + "\"");
  }
  const checkpoint::TensorInfo* found = file.find("features");
  if (found == nullptr || found->shape != std::vector<std::int64_t>{samples, width}) {
    throw file_error(path,
                     "expected a tensor \"features\" (" + std::to_string(samples) + ", " + std::to_string(width) + ")");
  }
  ImageFeatures features;
  features.features.resize({samples, width});
  file.read(*found, features.features.data(), found->count());
  const std::string& unreadable = state_metadata(file, "unreadable");
  features.unreadable = parse_unreadable(unreadable, path, samples);
  if (state_checksum(features_tensor(features), key + unreadable) != state_metadata(file, "checksum")) {
    throw file_error(path, "damaged: its contents do not fit the checksum");
  }
  return features;
}

}  // namespace detail

/// Those of the file at `path`; computed and saved there when there is no such file. on_progress(done, total) is called
/// while they are computed. file_error: the file belongs to another tower, transform or data set, or is damaged.
template <class Progress>
ImageFeatures cached_image_features(const std::string& path, Pretrained<float>& bundle, const data::Dataset& dataset,
                                    Progress&& on_progress) {
  const Index width = bundle.embed_dim();
  const std::string key = detail::features_key(bundle, dataset);
  if (std::filesystem::exists(path)) return detail::load_image_features(path, key, dataset.size(), width);
  const ImageEmbeddings found = embed_images(bundle, dataset, Normalize::no, bundle.transform.decode_options(),
                                             std::forward<Progress>(on_progress));
  ImageFeatures features{.features = {}, .unreadable = found.unreadable};
  features.features.resize({dataset.size(), width});
  features.features.fill(0);
  for (std::size_t row = 0; row < found.indices.size(); ++row) {
    copy(found.embeds.view()[static_cast<Index>(row)], features.features.view()[found.indices[row]]);
  }
  detail::save_image_features(path, features, key);
  return features;
}

/// Gives all processes the features that the first one has.
inline void share_image_features(ImageFeatures& features, Index samples, Index width,
                                 distributed::Communicator& communicator) {
  if (communicator.is_alone()) return;
  features.features.resize({samples, width});
  distributed::broadcast(communicator, features.features.data(), features.features.size());
  const std::string unreadable = detail::unreadable_json(features.unreadable);
  const std::string first = distributed::gather_strings(communicator, {unreadable}).front();
  features.unreadable = detail::parse_unreadable(first, "cached features", samples);
}

/// A data set whose pictures are known by their features: samples without pixels, and the same ones unreadable.
class WithoutPictures final : public data::Dataset {
 public:
  WithoutPictures(std::shared_ptr<const data::Dataset> whole, const ImageFeatures& features)
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
