#pragma once
/// A zero-shot classifier on disk, so that the text tower runs once: 1000 labels under 80 templates are 80,000 texts.
///
/// A safetensors file with the matrix `class_embeds` (C, E) and, in its metadata, `labels` and `templates` as JSON
/// lists, `text_tower` (pretrained/text_identity.hpp), `tokens`, a checksum of what the tokenizer makes of them, and
/// `checksum`.
#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/eval/zero_shot.hpp"
#include "couplet/io/checksum.hpp"
#include "couplet/io/json_writer.hpp"
#include "couplet/pretrained/text_identity.hpp"

namespace couplet::inline COUPLET_ABI::eval {

/// A classifier and where it came from.
template <class T>
struct CachedZeroShot {
  ZeroShotClassifier<T> classifier;
  bool built = false;      ///< by the text tower, and written to the file
  std::string other = {};  ///< in what the file differed, if it was there and is replaced: "labels"
};

namespace detail {

inline constexpr const char* zero_shot_format = "couplet zero-shot classifier 1";

/// What a classifier depends on, under the names of the metadata.
using ZeroShotKey = checkpoint::Metadata;

inline std::string string_list(const std::vector<std::string>& strings) {
  io::JsonWriter json(0);
  json.begin_array();
  for (const std::string& one : strings) json.value(one);
  return json.end_array().str();
}

/// Every label under the first template and every template with the first label.
template <class T>
std::string tokens_checksum(const Pretrained<T>& model, const std::vector<std::string>& labels,
                            const std::vector<std::string>& templates) {
  if (!model.tokenizer || labels.empty() || templates.empty()) return "none";  // refused where it is built
  std::vector<std::string> texts;
  for (const std::string& label : labels) texts.push_back(format_template(templates.front(), label));
  for (const std::string& one : templates) texts.push_back(format_template(one, labels.front()));
  const tokenizers::TokenBatch batch = (*model.tokenizer)(texts);
  return io::checksum_text(io::checksum_bytes(batch.ids.data(), batch.ids.size() * sizeof batch.ids[0]));
}

template <class T>
ZeroShotKey zero_shot_key(const Pretrained<T>& model, const std::vector<std::string>& labels,
                          const std::vector<std::string>& templates) {
  return {{"format", zero_shot_format},
          {"labels", string_list(labels)},
          {"templates", string_list(templates)},
          {"tokens", tokens_checksum(model, labels, templates)},
          {"text_tower", pretrained::text_tower_identity(model)}};
}

template <class T>
std::string zero_shot_checksum(const Tensor<T, 2>& class_embeds, const ZeroShotKey& key) {
  std::uint64_t hash =
      io::checksum_bytes(class_embeds.data(), static_cast<std::size_t>(class_embeds.size()) * sizeof(T));
  for (const auto& [name, value] : key) hash = io::checksum(value, hash);
  return io::checksum_text(hash);
}

template <class T>
void save_class_embeds(const std::string& path, const Tensor<T, 2>& class_embeds, const ZeroShotKey& key) {
  constexpr auto dtype = std::is_same_v<T, double> ? checkpoint::DType::f64 : checkpoint::DType::f32;
  checkpoint::Metadata metadata = key;
  metadata.emplace_back("checksum", zero_shot_checksum(class_embeds, key));
  checkpoint::save_safetensors(
      path,
      {checkpoint::tensor_record("class_embeds", dtype, {class_embeds.extent(0), class_embeds.extent(1)},
                                 class_embeds.data())},
      metadata);
}

/// The names of what the file says otherwise than `key`: "templates, text tower". file_error: it is no classifier.
inline std::string differences(const checkpoint::SafetensorsFile& file, const ZeroShotKey& key) {
  std::string names;
  for (const auto& [name, value] : key) {
    const std::string* found = file.find_metadata(name);
    if (found == nullptr || (name == "format" && *found != value)) {
      throw file_error(file.path(), "is no zero-shot classifier of this version, and is not replaced");
    }
    if (*found != value) names += (names.empty() ? "" : ", ") + name;
  }
  std::replace(names.begin(), names.end(), '_', ' ');
  return names;
}

/// The class vectors of a file that fits `key`. file_error: damaged.
template <class T>
Tensor<T, 2> load_class_embeds(const checkpoint::SafetensorsFile& file, const ZeroShotKey& key,
                               const Extents<2>& extents) {
  const checkpoint::TensorInfo* found = file.find("class_embeds");
  if (found == nullptr || found->shape != std::vector<std::int64_t>{extents[0], extents[1]}) {
    throw file_error(file.path(), "expected a tensor \"class_embeds\" " + to_string(Shape(extents)));
  }
  Tensor<T, 2> class_embeds(extents);
  file.read(*found, class_embeds.data(), found->count());
  const std::string* checksum = file.find_metadata("checksum");
  if (checksum == nullptr || *checksum != zero_shot_checksum(class_embeds, key)) {
    throw file_error(file.path(), "damaged: its contents do not fit the checksum");
  }
  return class_embeds;
}

}  // namespace detail

/// The classifier of the file at `path`, without a run of the text tower; where there is no such file, or it is of
/// another text tower, of other labels or templates, the classifier is built and the file written. Class vectors differ
/// in their last digits between instruction-set levels; the file's serve on all of them. Borrows the model.
/// file_error: the file is damaged, or something else. std::invalid_argument: as ZeroShotClassifier's.
template <class T>
CachedZeroShot<T> cached_zero_shot(const std::string& path, const Pretrained<T>& model,
                                   const std::vector<std::string>& labels,
                                   const std::vector<std::string>& templates = default_templates()) {
  const detail::ZeroShotKey key = detail::zero_shot_key(model, labels, templates);
  std::string other;
  if (std::filesystem::exists(path)) {
    const checkpoint::SafetensorsFile file(path);
    other = detail::differences(file, key);
    if (other.empty()) {
      const Extents<2> extents{std::ssize(labels), model.embed_dim()};
      return {
          ZeroShotClassifier<T>::from_class_embeds(model, labels, detail::load_class_embeds<T>(file, key, extents))};
    }
  }
  CachedZeroShot<T> built{ZeroShotClassifier<T>(model, labels, templates), true, std::move(other)};
  detail::save_class_embeds(path, built.classifier.class_embeds(), key);
  return built;
}

}  // namespace couplet::inline COUPLET_ABI::eval
