#pragma once
/// Embeddings on disk: a safetensors file with one matrix, `image_embeds` or `text_embeds` (N, E) float32, and in its
/// metadata `items`, a JSON list of N names, and `checksum`. What `embed` writes and `search` reads; any safetensors
/// reader opens it.
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/io/checksum.hpp"
#include "couplet/io/json_value.hpp"
#include "couplet/io/json_writer.hpp"

namespace couplet::inline COUPLET_ABI::search {

/// The largest component of an embedding, in absolute value: dot products of such vectors are finite.
inline constexpr float max_component = 1e15F;

/// A matrix of embeddings and the names of its rows.
struct Embeddings {
  Tensor<float, 2> values;  ///< (N, E)
  std::vector<std::string> items;
};

namespace detail {

/// False for NaN, infinities and anything beyond max_component. By the bits, so that -ffast-math cannot fold it away.
inline bool is_usable(float value) {
  return (std::bit_cast<std::uint32_t>(value) & 0x7fffffffU) <= std::bit_cast<std::uint32_t>(max_component);
}

/// The place of the first component that is not usable, or the number of components.
inline Index first_unusable(const float* values, Index count) {
  Index i = 0;
  while (i < count && is_usable(values[i])) ++i;
  return i;
}

inline std::string checksum_text(const TensorView<const float, 2>& values, std::string_view items) {
  const auto bytes = static_cast<std::size_t>(values.size()) * sizeof(float);
  return io::checksum_text(io::checksum_bytes(values.data(), bytes, io::checksum(items)));
}

inline std::vector<std::string> parse_items(const std::string& json, std::size_t rows, const std::string& path) {
  const io::Json list = io::Json::parse(json, path + ": items");
  if (!list.is_array() || list.items().size() != rows) {
    throw file_error(path, "expected the metadata 'items' to be a list of " + std::to_string(rows) + " names, found " +
                               (list.is_array() ? std::to_string(list.items().size()) : list.describe()));
  }
  std::vector<std::string> items;
  for (const io::Json& item : list.items()) {
    if (!item.is_string()) throw file_error(path, "expected a name among 'items', found " + item.describe());
    items.push_back(item.as_string());
  }
  return items;
}

}  // namespace detail

/// Writes `values` (N, E), contiguous, as the tensor `name`; atomically. std::invalid_argument: another number of items
/// than rows, a component that is not finite or beyond max_component. file_error: the disk. Names that are not UTF-8
/// get U+FFFD for their bad bytes.
inline void save_embeddings(const std::string& path, const std::string& name, TensorView<const float, 2> values,
                            const std::vector<std::string>& items) {
  if (static_cast<Index>(items.size()) != values.extent(0) || !values.contiguous()) {
    fail("save_embeddings",
         "expected (" + std::to_string(items.size()) + ", E) contiguous values, found " + to_string(values.shape()));
  }
  if (const Index bad = detail::first_unusable(values.data(), values.size()); bad < values.size()) {
    fail("save_embeddings",
         "a component of item " + std::to_string(bad / values.extent(1)) + " is not a finite number");
  }
  io::JsonWriter list(0);
  list.begin_array();
  for (const std::string& item : items) list.value(item);
  const std::string json = list.end_array().str();
  checkpoint::save_safetensors(
      path,
      {checkpoint::tensor_record(name, checkpoint::DType::f32, {values.extent(0), values.extent(1)}, values.data())},
      {{"items", json}, {"checksum", detail::checksum_text(values, json)}});
}

/// Reads the tensor `name` (N, E) and its items. file_error: no such tensor, not a matrix, no items or another number
/// of them, a component that is not finite or beyond max_component, contents that do not fit the checksum (files
/// without one are accepted).
inline Embeddings load_embeddings(const std::string& path, const std::string& name) {
  const checkpoint::SafetensorsFile file(path);
  const checkpoint::TensorInfo* tensor = file.find(name);
  if (tensor == nullptr) throw file_error(path, "expected a tensor '" + printable(name) + "' of embeddings");
  if (tensor->shape.size() != 2 || tensor->shape[1] < 1) {
    throw file_error(path, printable(name) + ": expected the shape (N, E)");
  }
  const std::string* json = file.find_metadata("items");
  if (json == nullptr) throw file_error(path, "expected the metadata 'items', a list of names");
  Embeddings embeddings;
  embeddings.items = detail::parse_items(*json, static_cast<std::size_t>(tensor->shape[0]), path);
  embeddings.values.resize({static_cast<Index>(tensor->shape[0]), static_cast<Index>(tensor->shape[1])});
  Tensor<float, 2>& values = embeddings.values;
  file.read(*tensor, values.data(), static_cast<std::size_t>(values.size()));
  const std::string* expected = file.find_metadata("checksum");
  if (expected != nullptr && tensor->dtype == checkpoint::DType::f32 &&
      *expected != detail::checksum_text(values, *json)) {
    throw file_error(path, "damaged: expected the checksum " + printable(*expected) + ", found " +
                               detail::checksum_text(values, *json));
  }
  if (const Index bad = detail::first_unusable(values.data(), values.size()); bad < values.size()) {
    throw file_error(path, printable(name) + ": a component of item " + std::to_string(bad / values.extent(1)) +
                               " is not a finite number");
  }
  return embeddings;
}

}  // namespace couplet::inline COUPLET_ABI::search
