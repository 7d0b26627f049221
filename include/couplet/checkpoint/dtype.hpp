#pragma once
/// The element types of a safetensors file.
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "couplet/core/float16.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

/// In the order of the safetensors library, which sorts tensors by it (descending) before it writes them. Its types
/// smaller than a byte (F4, F6_E2M3, F6_E3M2) are not known here.
enum class DType : std::uint8_t {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

namespace detail {

struct DTypeTraits {
  std::string_view name;
  std::size_t bytes;
};

inline constexpr std::array<DTypeTraits, 19> dtype_traits = {{{"BOOL", 1},
                                                              {"U8", 1},
                                                              {"I8", 1},
                                                              {"F8_E5M2", 1},
                                                              {"F8_E4M3", 1},
                                                              {"F8_E8M0", 1},
                                                              {"F8_E4M3FNUZ", 1},
                                                              {"F8_E5M2FNUZ", 1},
                                                              {"I16", 2},
                                                              {"U16", 2},
                                                              {"F16", 2},
                                                              {"BF16", 2},
                                                              {"I32", 4},
                                                              {"U32", 4},
                                                              {"F32", 4},
                                                              {"C64", 8},
                                                              {"F64", 8},
                                                              {"I64", 8},
                                                              {"U64", 8}}};

}  // namespace detail

/// "F32", as the file says it.
constexpr std::string_view dtype_name(DType dtype) {
  return detail::dtype_traits[static_cast<std::size_t>(dtype)].name;
}

/// Bytes of one element.
constexpr std::size_t dtype_bytes(DType dtype) { return detail::dtype_traits[static_cast<std::size_t>(dtype)].bytes; }

/// The type called `name` (upper case, as in the file), if it is known.
constexpr std::optional<DType> find_dtype(std::string_view name) {
  for (std::size_t i = 0; i < detail::dtype_traits.size(); ++i) {
    if (detail::dtype_traits[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

/// F64, F32, F16, BF16: what is read as float or double.
constexpr bool is_floating(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

/// BOOL and the integers: what is read as std::int64_t.
constexpr bool is_integer(DType dtype) {
  return dtype == DType::boolean || dtype == DType::u8 || dtype == DType::i8 || dtype == DType::i16 ||
         dtype == DType::u16 || dtype == DType::i32 || dtype == DType::u32 || dtype == DType::i64 ||
         dtype == DType::u64;
}

}  // namespace couplet::inline COUPLET_ABI::checkpoint
