#pragma once
/// Reads safetensors files: the header is checked completely on opening (safetensors_header.hpp), the data are read
/// tensor by tensor, straight to where they are wanted. No code is run, nothing is mapped into memory.
///
///   SafetensorsFile file("model.safetensors");
///   if (const TensorInfo* t = file.find("visual.proj")) file.read(*t, weights.data(), weights.size());
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/checkpoint/convert.hpp"
#include "couplet/checkpoint/dtype.hpp"
#include "couplet/checkpoint/safetensors_header.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/input_file.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

class SafetensorsFile {
 public:
  /// file_error naming the file, the tensor and the reason: not there, damaged, not a safetensors file, over a limit.
  explicit SafetensorsFile(std::string path, const SafetensorsLimits& limits = {}) : file_(std::move(path)) {
    if (file_.size() < 8) {
      throw file_error(file_.path(), "expected at least 8 bytes, found " + std::to_string(file_.size()));
    }
    std::array<unsigned char, 8> length{};
    file_.read_at(0, length.data(), length.size());
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, length.data(), length.size());
    if (header_bytes > limits.header_bytes) {
      throw file_error(file_.path(), "expected a header of at most " + std::to_string(limits.header_bytes) +
                                         " bytes, found " + std::to_string(header_bytes));
    }
    if (header_bytes > file_.size() - 8) {
      throw file_error(file_.path(), "expected a header of " + std::to_string(header_bytes) + " bytes, found " +
                                         std::to_string(file_.size() - 8));
    }
    data_begin_ = 8 + header_bytes;
    std::string json;
    try {
      json.resize(static_cast<std::size_t>(header_bytes));
    } catch (const std::exception&) {
      throw file_error(file_.path(), "out of memory for a header of " + std::to_string(header_bytes) + " bytes");
    }
    file_.read_at(8, json.data(), json.size());
    header_ = parse_safetensors_header(json, data_bytes(), file_.path(), limits);
  }

  [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
  /// All tensors, in the order of the header.
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const noexcept { return header_.tensors; }
  [[nodiscard]] const Metadata& metadata() const noexcept { return header_.metadata; }
  /// Bytes of all tensors together.
  [[nodiscard]] std::uint64_t data_bytes() const noexcept { return file_.size() - data_begin_; }

  /// The tensor of that name, or nullptr.
  [[nodiscard]] const TensorInfo* find(std::string_view name) const {
    const auto at = header_.index.find(name, [this](std::size_t i) -> std::string_view { return tensors()[i].name; });
    return at ? &tensors()[*at] : nullptr;
  }
  /// The metadata of that key, or nullptr.
  [[nodiscard]] const std::string* find_metadata(std::string_view key) const {
    for (const auto& [name, value] : header_.metadata) {
      if (name == key) return &value;
    }
    return nullptr;
  }

  /// The elements of a tensor of this file as T: F64, F32, F16, BF16 as float or double, BOOL and integers as
  /// std::int64_t. `count` must be its number of elements (std::invalid_argument). file_error: a dtype that is not
  /// converted to T, a value that does not fit, a read error. Thread-safe.
  template <Element T>
  void read(const TensorInfo& tensor, T* out, std::size_t count) const {
    if (count != tensor.count()) {
      fail("SafetensorsFile::read", tensor_text(tensor.name) + " has " + std::to_string(tensor.count()) +
                                        " elements, but room is for " + std::to_string(count));
    }
    read_part(tensor, 0, out, count);
  }
  /// The elements [first, first + count).
  template <Element T>
  void read_part(const TensorInfo& tensor, std::size_t first, T* out, std::size_t count) const {
    if (first > tensor.count() || count > tensor.count() - first) {
      fail("SafetensorsFile::read_part", tensor_text(tensor.name) + " has " + std::to_string(tensor.count()) +
                                             " elements, but " + std::to_string(count) + " from " +
                                             std::to_string(first) + " on are asked for");
    }
    if (!can_decode<T>(tensor.dtype)) {
      throw file_error(path(), tensor_text(tensor.name) + ": expected " +
                                   (std::floating_point<T> ? "F64, F32, F16 or BF16" : "an integer type") + ", found " +
                                   std::string(dtype_name(tensor.dtype)));
    }
    const std::size_t size = dtype_bytes(tensor.dtype);
    const std::uint64_t begin = data_begin_ + tensor.begin + first * size;
    if (sizeof(T) == size && (tensor.dtype == DType::f32 || tensor.dtype == DType::f64)) {
      return file_.read_at(begin, out, count * size);
    }
    std::array<std::uint64_t, 8192> buffer;  // 64 KiB
    const std::size_t step = sizeof buffer / size;
    for (std::size_t done = 0; done < count; done += step) {
      const std::size_t now = std::min(step, count - done);
      file_.read_at(begin + done * size, buffer.data(), now * size);
      const std::size_t good = decode(tensor.dtype, buffer.data(), now, out + done);
      if (good != now) {
        throw file_error(path(), tensor_text(tensor.name) + ": element " + std::to_string(first + done + good) +
                                     " does not fit a signed 64-bit integer");
      }
    }
  }
  template <Element T>
  [[nodiscard]] std::vector<T> read(const TensorInfo& tensor) const {
    std::vector<T> values(tensor.count());
    read(tensor, values.data(), values.size());
    return values;
  }

  /// The bytes of a tensor of this file as they are. `bytes` must be tensor.bytes().
  void read_bytes(const TensorInfo& tensor, void* out, std::size_t bytes) const {
    if (bytes != tensor.bytes()) {
      fail("SafetensorsFile::read_bytes", tensor_text(tensor.name) + " has " + std::to_string(tensor.bytes()) +
                                              " bytes, but room is for " + std::to_string(bytes));
    }
    file_.read_at(data_begin_ + tensor.begin, out, bytes);
  }

 private:
  io::InputFile file_;
  std::uint64_t data_begin_ = 0;
  SafetensorsHeader header_;
};

}  // namespace couplet::inline COUPLET_ABI::checkpoint
