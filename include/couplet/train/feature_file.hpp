#pragma once
/// The features that a frozen tower gives for pictures or captions, computed once and kept in a safetensors file with
/// what they depend on and a checksum, so that later epochs and runs need not run the tower.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/batch.hpp"
#include "couplet/distributed/agreement.hpp"
#include "couplet/io/json_writer.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "couplet/train/training_state.hpp"

namespace couplet::inline COUPLET_ABI::train {

struct CachedFeatures {
  Tensor<float, 2> features;                            ///< (N, E), before l2 normalisation; zeros where unreadable
  std::vector<data::UnreadableSample> unreadable = {};  ///< pictures, ascending
};

/// A file of features and what is expected of it.
struct FeatureFile {
  std::string path;
  std::string kind;      ///< "image"
  std::string others;    ///< what may be different about a file that is refused: "image tower, transform or data set"
  std::string contents;  ///< all that the features depend on, as one line
  Index rows = 0;
  Index width = 0;

  [[nodiscard]] std::string format() const { return "couplet " + kind + " features 1"; }
};

namespace detail {

/// A tower and how it computes, as one line.
template <class Tower, class T>
std::string describe_tower(Tower& tower, const Clip<T>& model) {
  const std::vector<StateTensor<T>> tensors = state_tensors<T>(tower);
  return "products in " + to_string(model.precision()) + ", tower " +
         state_checksum(tensors, pretrained::hugging_face_config(model.config(), "float32"));
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

inline std::string features_checksum(CachedFeatures& features, const std::string& words) {
  const std::vector<StateTensor<float>> tensors{
      {"features", Shape(features.features.extents()), features.features.data()}};
  return state_checksum(tensors, words);
}

inline void save_features(const FeatureFile& file, CachedFeatures& features) {
  const std::string unreadable = unreadable_json(features.unreadable);
  checkpoint::save_safetensors(file.path,
                               {checkpoint::tensor_record("features", checkpoint::DType::f32, {file.rows, file.width},
                                                          std::as_const(features.features).data())},
                               {{"format", file.format()},
                                {"key", file.contents},
                                {"unreadable", unreadable},
                                {"checksum", features_checksum(features, file.contents + unreadable)}});
}

inline CachedFeatures load_features(const FeatureFile& expected) {
  const std::string& path = expected.path;
  const checkpoint::SafetensorsFile file(path);
  const auto refuse = [&](const std::string& what, const std::string& wanted, const std::string& found) {
    throw file_error(path, what + ": expected \"" + wanted + "\", found \"" + printable(found, 200) + "\"");
  };
  const std::string& format = state_metadata(file, "format");
  if (format != expected.format()) refuse("holds no " + expected.kind + " features", expected.format(), format);
  const std::string& contents = state_metadata(file, "key");
  if (contents != expected.contents)
    refuse("holds the features of another " + expected.others, expected.contents, contents);
  const checkpoint::TensorInfo* found = file.find("features");
  if (found == nullptr || found->shape != std::vector<std::int64_t>{expected.rows, expected.width}) {
    throw file_error(path, "expected a tensor \"features\" " + to_string(Shape{expected.rows, expected.width}));
  }
  CachedFeatures features;
  features.features.resize({expected.rows, expected.width});
  file.read(*found, features.features.data(), found->count());
  const std::string& unreadable = state_metadata(file, "unreadable");
  features.unreadable = parse_unreadable(unreadable, path, expected.rows);
  if (features_checksum(features, contents + unreadable) != state_metadata(file, "checksum")) {
    throw file_error(path, "damaged: its contents do not fit the checksum");
  }
  return features;
}

}  // namespace detail

/// Those of the file; compute() makes them, and they are saved, when there is no such file. file_error: the file has
/// other contents, or is damaged.
template <class Compute>
CachedFeatures cached_features(const FeatureFile& file, Compute&& compute) {
  if (std::filesystem::exists(file.path)) return detail::load_features(file);
  CachedFeatures features = compute();
  detail::save_features(file, features);
  return features;
}

/// Gives all processes the features that the first one has.
inline void share_features(CachedFeatures& features, Index rows, Index width, distributed::Communicator& communicator) {
  if (communicator.is_alone()) return;
  features.features.resize({rows, width});
  distributed::broadcast(communicator, features.features.data(), features.features.size());
  const std::string unreadable = detail::unreadable_json(features.unreadable);
  const std::string first = distributed::gather_strings(communicator, {unreadable}).front();
  features.unreadable = detail::parse_unreadable(first, "cached features", rows);
}

}  // namespace couplet::inline COUPLET_ABI::train
