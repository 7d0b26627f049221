#pragma once
/// Writes safetensors files, atomically (io/atomic_file.hpp) and with bytes that depend on nothing but the contents.
///
/// Tensors are laid out as the safetensors library does it: by dtype, the widest first, then by name in byte order. The
/// header names them in the same order after __metadata__, without spaces, and is padded with spaces to a multiple of 8
/// bytes, so that every element is aligned.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/checkpoint/convert.hpp"
#include "couplet/checkpoint/dtype.hpp"
#include "couplet/checkpoint/safetensors_header.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/atomic_file.hpp"
#include "couplet/io/json_events.hpp"
#include "couplet/io/json_writer.hpp"
#include "couplet/io/key_index.hpp"
#include "couplet/io/utf8.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

/// A tensor to be saved.
struct TensorRecord {
  std::string name;
  DType dtype = DType::f32;  ///< in the file
  std::vector<std::int64_t> shape;
  /// Puts the elements [first, first + count), in `dtype`, at `out`. Called with ascending ranges while saving.
  std::function<void(std::size_t first, std::size_t count, void* out)> fill;
};

/// Saves values at `data`, which must live until then, in `dtype`: float as F64, F32, F16 or BF16, double as F64 or
/// F32, std::int64_t as I64 or I32. std::invalid_argument: another dtype; on saving, a value that does not fit (70000
/// in F16).
template <Element T>
TensorRecord tensor_record(std::string name, DType dtype, std::vector<std::int64_t> shape, const T* data) {
  if (!can_encode<T>(dtype)) {
    fail("tensor_record", tensor_text(name) + " cannot be converted to " + std::string(dtype_name(dtype)));
  }
  auto fill = [name, dtype, data](std::size_t first, std::size_t count, void* out) {
    const std::size_t good = encode(dtype, data + first, count, out);
    if (good == count) return;
    const T value = data[first + good];
    std::string text;
    if constexpr (std::floating_point<T>) {
      text = io::detail::number_text(value);
    } else {
      text = std::to_string(value);
    }
    fail("save_safetensors", tensor_text(name) + ": element " + std::to_string(first + good) + " (" + text +
                                 ") does not fit " + std::string(dtype_name(dtype)));
  };
  return {std::move(name), dtype, std::move(shape), std::move(fill)};
}

/// Saves bytes at `data`, which are elements of `dtype` already and must live until then.
inline TensorRecord tensor_record_of_bytes(std::string name, DType dtype, std::vector<std::int64_t> shape,
                                           const void* data) {
  auto fill = [dtype, data](std::size_t first, std::size_t count, void* out) {
    const std::size_t size = dtype_bytes(dtype);
    if (count != 0) std::memcpy(out, static_cast<const unsigned char*>(data) + first * size, count * size);
  };
  return {std::move(name), dtype, std::move(shape), std::move(fill)};
}

namespace detail {

inline void require_utf8(std::string_view text, const char* what) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = io::utf8_character(text, i);
    if (length == 0) fail("save_safetensors", std::string(what) + " \"" + printable(text) + "\" is not UTF-8");
    i += length;
  }
}

/// Throws std::invalid_argument for what SafetensorsFile would not read back.
inline void require_saveable(const std::vector<TensorRecord>& tensors, const Metadata& metadata) {
  const SafetensorsLimits limits;
  for (const TensorRecord& t : tensors) {
    require_utf8(t.name, "the name");
    const bool in_range = std::all_of(t.shape.begin(), t.shape.end(),
                                      [&](std::int64_t extent) { return extent >= 0 && extent <= limits.extent; });
    if (!in_range || t.shape.size() > limits.rank || !tensor_bytes(t.dtype, t.shape)) {
      fail("save_safetensors", tensor_text(t.name) + " has the shape " + shape_text(t.shape));
    }
    if (t.name == "__metadata__") fail("save_safetensors", "a tensor cannot be called __metadata__");
    if (!t.fill) fail("save_safetensors", tensor_text(t.name) + " has no data");
  }
  for (const auto& [key, value] : metadata) {
    require_utf8(key, "the metadata key");
    require_utf8(value, "the metadata value");
  }
  const auto name = [&](std::size_t i) -> std::string_view { return tensors[i].name; };
  if (const auto twice = io::KeyIndex(tensors.size(), name).duplicate(name)) {
    fail("save_safetensors", tensor_text(name(*twice)) + " is given twice");
  }
  const auto key = [&](std::size_t i) -> std::string_view { return metadata[i].first; };
  if (const auto twice = io::KeyIndex(metadata.size(), key).duplicate(key)) {
    fail("save_safetensors", "the metadata key \"" + printable(key(*twice)) + "\" is given twice");
  }
}

/// The JSON of the header, padded so that the data begin at a multiple of 8 bytes.
inline std::string safetensors_header_json(const std::vector<const TensorRecord*>& tensors, const Metadata& metadata) {
  io::JsonWriter json(0);
  json.begin_object();
  if (!metadata.empty()) {
    json.key("__metadata__").begin_object();
    for (const auto& [key, value] : metadata) json.key(key).value(value);
    json.end_object();
  }
  std::uint64_t offset = 0;
  for (const TensorRecord* t : tensors) {
    json.key(t->name).begin_object().key("dtype").value(dtype_name(t->dtype)).key("shape").begin_array();
    for (const std::int64_t extent : t->shape) json.value(extent);
    const std::uint64_t begin = offset;
    if (__builtin_add_overflow(offset, *tensor_bytes(t->dtype, t->shape), &offset)) {
      fail("save_safetensors", "the tensors together have more bytes than can be counted");
    }
    json.end_array().key("data_offsets").begin_array().value(begin).value(offset).end_array().end_object();
  }
  std::string text = json.end_object().str();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace detail

/// Writes `tensors` to `path`, replacing what was there only when everything is written. The order they are given in
/// does not matter. file_error: the file cannot be written; std::invalid_argument: two equal names, a name that is not
/// UTF-8, a negative extent, a value that does not fit its dtype. In either case the old file stays as it was.
inline void save_safetensors(const std::string& path, const std::vector<TensorRecord>& tensors,
                             const Metadata& metadata = {}) {
  detail::require_saveable(tensors, metadata);
  std::vector<const TensorRecord*> order;
  for (const TensorRecord& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const TensorRecord* a, const TensorRecord* b) {
    return a->dtype != b->dtype ? a->dtype > b->dtype : a->name < b->name;
  });
  const std::string header = detail::safetensors_header_json(order, metadata);
  if (header.size() > SafetensorsLimits{}.header_bytes) {
    fail("save_safetensors", "the header has " + std::to_string(header.size()) + " bytes, more than are read back");
  }
  io::AtomicFile file(path);
  const std::uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  std::vector<std::uint64_t> buffer(std::size_t{1} << 17);  // 1 MiB
  for (const TensorRecord* t : order) {
    const std::size_t size = dtype_bytes(t->dtype), step = buffer.size() * sizeof buffer[0] / size;
    const auto count = static_cast<std::size_t>(*tensor_bytes(t->dtype, t->shape)) / size;
    for (std::size_t done = 0; done < count; done += step) {
      const std::size_t now = std::min(step, count - done);
      t->fill(done, now, buffer.data());
      file.write(buffer.data(), now * size);
    }
  }
  file.commit();
}

}  // namespace couplet::inline COUPLET_ABI::checkpoint
