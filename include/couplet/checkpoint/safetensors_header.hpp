#pragma once
/// The table of contents of a safetensors file, parsed and proven before a byte of data is read.
///
/// A file is: 8 bytes little-endian N, then N bytes of JSON, then the data.
///   {"__metadata__": {"format": "pt"}, "logit_scale": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, ...}
/// Offsets count from the start of the data. Accepted is only what has one meaning: every tensor has exactly its three
/// fields, its bytes are its shape times its dtype, and the tensors cover the data from the first byte to the last
/// without a hole or an overlap (tensors of no bytes may share an offset). No name appears twice.
/// Format: https://github.com/huggingface/safetensors
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/checkpoint/dtype.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/json_events.hpp"
#include "couplet/io/key_index.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

/// What is the most that a file may ask for, before anything is allocated for it.
struct SafetensorsLimits {
  std::uint64_t header_bytes = 25'000'000;
  std::size_t tensors = 100'000;
  std::size_t metadata_entries = 100'000;
  std::size_t rank = 8;
  std::int64_t extent = std::int64_t{1} << 48;
};

/// One tensor of a file.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;   ///< () for a scalar
  std::uint64_t begin = 0, end = 0;  ///< its bytes, from the start of the data
  std::size_t shard = 0;             ///< which file of a Checkpoint

  [[nodiscard]] std::uint64_t bytes() const noexcept { return end - begin; }
  /// Number of elements.
  [[nodiscard]] std::size_t count() const noexcept { return static_cast<std::size_t>(bytes()) / dtype_bytes(dtype); }
};

/// In the order of the file.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// (2, 3)
inline std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (const std::int64_t extent : shape) (text += text.size() > 1 ? ", " : "") += std::to_string(extent);
  return text + ")";
}

/// F32 (2, 3)
inline std::string type_text(const TensorInfo& tensor) {
  return std::string(dtype_name(tensor.dtype)) + " " + shape_text(tensor.shape);
}

/// tensor "visual.proj"
inline std::string tensor_text(std::string_view name) { return "tensor \"" + printable(name) + "\""; }

/// Bytes of a tensor, or nothing when a product does not fit 62 bits. Extents of 0 do not hide the others: the product
/// over the rest must fit too, in whatever order they stand. Extents are >= 0.
inline std::optional<std::uint64_t> tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape) {
  constexpr std::uint64_t most = std::uint64_t{1} << 62;
  std::uint64_t bytes = dtype_bytes(dtype);
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes) || bytes > most) {
      return std::nullopt;
    }
  }
  return empty ? 0 : bytes;
}

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  ///< in the order of the header
  Metadata metadata;
  io::KeyIndex index;  ///< of the tensors' names
};

namespace detail {

/// Builds the table from the JSON tokens. Each state is what the next token belongs to.
class SafetensorsHeaderVisitor final : public io::JsonVisitor {
 public:
  SafetensorsHeaderVisitor(SafetensorsHeader& header, std::uint64_t data_bytes, const SafetensorsLimits& limits)
      : header_(header), data_bytes_(data_bytes), limits_(limits) {}

  void visit(io::JsonToken& token) override {
    switch (state_) {
      case State::start:
        return open(token, Kind::begin_object, State::names, "expected an object");
      case State::names:
        return name(token);
      case State::entry:
        return open(token, Kind::begin_object, State::fields, "expected an object with dtype, shape and data_offsets");
      case State::fields:
        return field(token);
      case State::dtype:
        return dtype(token);
      case State::shape:
        return open(token, Kind::begin_array, State::extents, "shape: expected an array");
      case State::extents:
        return extent(token);
      case State::offsets:
        return open(token, Kind::begin_array, State::offset, "data_offsets: expected an array");
      case State::offset:
        return offset(token);
      case State::metadata:
        if (token.kind == Kind::null) return go(State::names);
        return open(token, Kind::begin_object, State::metadata_key, "__metadata__: expected an object");
      case State::metadata_key:
        return metadata_key(token);
      case State::metadata_value:
        return metadata_value(token);
    }
  }

 private:
  using Kind = io::JsonToken::Kind;
  enum class State {
    start,
    names,
    entry,
    fields,
    dtype,
    shape,
    extents,
    offsets,
    offset,
    metadata,
    metadata_key,
    metadata_value
  };
  static constexpr unsigned has_dtype = 1, has_shape = 2, has_offsets = 4;

  void go(State state) { state_ = state; }
  void open(const io::JsonToken& token, Kind kind, State next, const char* expected) {
    if (token.kind != kind) refuse(std::string(expected) + ", found " + io::detail::describe(token));
    go(next);
  }
  [[noreturn]] void refuse(const std::string& message) const {
    reject(state_ >= State::entry && state_ <= State::offset ? tensor_text(tensor().name) + ": " + message : message);
  }
  TensorInfo& tensor() { return header_.tensors.back(); }
  [[nodiscard]] const TensorInfo& tensor() const { return header_.tensors.back(); }

  void name(io::JsonToken& token) {
    if (token.kind == Kind::end_object) return;
    if (token.text == "__metadata__") {
      if (std::exchange(has_metadata_, true)) refuse("the key \"__metadata__\" appears twice");
      return go(State::metadata);
    }
    if (header_.tensors.size() == limits_.tensors) refuse("more than " + std::to_string(limits_.tensors) + " tensors");
    header_.tensors.emplace_back().name = std::move(token.text);
    seen_ = 0;
    go(State::entry);
  }

  void field(const io::JsonToken& token) {
    if (token.kind == Kind::end_object) return finish();
    const bool is_dtype = token.text == "dtype", is_shape = token.text == "shape";
    if (!is_dtype && !is_shape && token.text != "data_offsets") {
      refuse("expected only dtype, shape and data_offsets, found " + io::detail::describe(token));
    }
    const unsigned bit = is_dtype ? has_dtype : is_shape ? has_shape : has_offsets;
    if ((seen_ & bit) != 0) refuse(token.text + " appears twice");
    seen_ |= bit;
    offsets_ = is_dtype || is_shape ? offsets_ : 0;
    go(is_dtype ? State::dtype : is_shape ? State::shape : State::offsets);
  }

  void dtype(const io::JsonToken& token) {
    const auto known = token.kind == Kind::string ? find_dtype(token.text) : std::nullopt;
    if (!known) refuse("dtype: expected a type such as F32, F16 or BF16, found " + io::detail::describe(token));
    tensor().dtype = *known;
    go(State::fields);
  }

  void extent(const io::JsonToken& token) {
    if (token.kind == Kind::end_array) return go(State::fields);
    if (token.kind != Kind::integer || token.integer < 0 || token.integer > limits_.extent) {
      refuse("shape: expected integers in [0, " + std::to_string(limits_.extent) + "], found " +
             io::detail::describe(token));
    }
    if (tensor().shape.size() == limits_.rank) {
      refuse("shape: expected at most " + std::to_string(limits_.rank) + " dimensions");
    }
    tensor().shape.push_back(token.integer);
  }

  void offset(const io::JsonToken& token) {
    if (token.kind == Kind::end_array) {
      if (offsets_ != 2) refuse("data_offsets: expected 2 integers, found " + std::to_string(offsets_));
      return go(State::fields);
    }
    if (token.kind != Kind::integer || token.integer < 0) {
      refuse("data_offsets: expected integers >= 0, found " + io::detail::describe(token));
    }
    if (++offsets_ > 2) refuse("data_offsets: expected 2 integers, found more");
    (offsets_ == 1 ? tensor().begin : tensor().end) = static_cast<std::uint64_t>(token.integer);
  }

  /// All that can be said about one tensor by itself.
  void finish() {
    if ((seen_ & has_dtype) == 0) refuse("dtype is missing");
    if ((seen_ & has_shape) == 0) refuse("shape is missing");
    if ((seen_ & has_offsets) == 0) refuse("data_offsets is missing");
    const TensorInfo& t = tensor();
    const std::string offsets = "data_offsets [" + std::to_string(t.begin) + ", " + std::to_string(t.end) + "]";
    if (t.begin > t.end) refuse(offsets + " end before they begin");
    if (t.end > data_bytes_)
      refuse(offsets + " reach past the file's " + std::to_string(data_bytes_) + " bytes of data");
    const auto expected = tensor_bytes(t.dtype, t.shape);
    if (!expected) refuse(type_text(t) + " has more bytes than can be counted");
    if (*expected != t.bytes()) {
      refuse("expected " + std::to_string(*expected) + " bytes for " + type_text(t) + ", found " +
             std::to_string(t.bytes()) + " (" + offsets + ")");
    }
    go(State::names);
  }

  void metadata_key(io::JsonToken& token) {
    if (token.kind == Kind::end_object) return go(State::names);
    if (header_.metadata.size() == limits_.metadata_entries) {
      refuse("__metadata__: more than " + std::to_string(limits_.metadata_entries) + " entries");
    }
    header_.metadata.emplace_back(std::move(token.text), "");
    go(State::metadata_value);
  }

  void metadata_value(io::JsonToken& token) {
    if (token.kind != Kind::string) {
      refuse("__metadata__." + printable(header_.metadata.back().first) + ": expected a string, found " +
             io::detail::describe(token));
    }
    header_.metadata.back().second = std::move(token.text);
    go(State::metadata_key);
  }

  SafetensorsHeader& header_;
  std::uint64_t data_bytes_;
  SafetensorsLimits limits_;
  State state_ = State::start;
  unsigned seen_ = 0;        // fields of the current tensor
  std::size_t offsets_ = 0;  // integers of its data_offsets so far
  bool has_metadata_ = false;
};

/// Throws unless the tensors lie one after the other from byte 0 to byte data_bytes.
inline void check_layout(const std::vector<TensorInfo>& tensors, std::uint64_t data_bytes, const std::string& path) {
  std::vector<std::uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const TensorInfo &s = tensors[a], &t = tensors[b];
    return std::pair(s.begin, s.end) < std::pair(t.begin, t.end);
  });
  std::uint64_t covered = 0;
  std::string before = "the data begins";
  for (const std::uint32_t i : order) {
    const TensorInfo& t = tensors[i];
    if (t.begin != covered) {
      throw file_error(path, "header: " + tensor_text(t.name) + ": data_offsets [" + std::to_string(t.begin) + ", " +
                                 std::to_string(t.end) + "] " + (t.begin > covered ? "leave a hole" : "overlap") +
                                 ": expected them to begin at byte " + std::to_string(covered) + ", where " + before);
    }
    covered = t.end;
    before = tensor_text(t.name).substr(0, 160) + " ends";
  }
  if (covered != data_bytes) {
    throw file_error(path, "expected the file to end after " + std::to_string(covered) + " bytes of data, where " +
                               before + "; found " + std::to_string(data_bytes));
  }
}

}  // namespace detail

/// Parses the JSON of a header in front of `data_bytes` bytes of data. file_error naming `path`, the tensor and what is
/// wrong with it. Memory: what the table takes, at most about three times the header.
inline SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                                  const std::string& path, const SafetensorsLimits& limits = {}) {
  SafetensorsHeader header;
  try {
    detail::SafetensorsHeaderVisitor visitor(header, data_bytes, limits);
    io::parse_json_events(json, "", visitor, {io::JsonLimits{}.depth, json.size() + 1});
    const auto metadata_key = [&](std::size_t i) -> std::string_view { return header.metadata[i].first; };
    if (const auto twice = io::KeyIndex(header.metadata.size(), metadata_key).duplicate(metadata_key)) {
      throw file_error("", "__metadata__: the key \"" + printable(metadata_key(*twice)) + "\" appears twice");
    }
    const auto name = [&](std::size_t i) -> std::string_view { return header.tensors[i].name; };
    header.index = io::KeyIndex(header.tensors.size(), name);
    if (const auto twice = header.index.duplicate(name)) {
      throw file_error("", tensor_text(name(*twice)) + " appears twice");
    }
    detail::check_layout(header.tensors, data_bytes, path);
  } catch (const file_error& error) {
    if (!error.path().empty()) throw;
    throw file_error(path, std::string("header: ") + error.what());
  } catch (const std::bad_alloc&) {
    throw file_error(path, "out of memory for the table of its tensors");
  }
  return header;
}

}  // namespace couplet::inline COUPLET_ABI::checkpoint
