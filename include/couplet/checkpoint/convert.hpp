#pragma once
/// Elements of a file <-> float, double and std::int64_t in memory.
///
/// decode: F64, F32, F16, BF16 to float and double (exact, but F64 to float rounds to nearest); BOOL and the integers
/// to std::int64_t (BOOL: any byte but 0 is 1). encode: float to F64, F32, F16, BF16; double to F64, F32; std::int64_t
/// to I64, I32. Rounding is to nearest, ties to even. Other pairs are not converted: can_decode, can_encode.
#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "couplet/checkpoint/dtype.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

/// What elements are converted to and from in memory.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t>;

template <Element T>
constexpr bool can_decode(DType dtype) {
  return std::floating_point<T> ? is_floating(dtype) : is_integer(dtype);
}

template <Element T>
constexpr bool can_encode(DType dtype) {
  if (std::same_as<T, float>) return is_floating(dtype);
  if (std::same_as<T, double>) return dtype == DType::f64 || dtype == DType::f32;
  return dtype == DType::i64 || dtype == DType::i32;
}

namespace detail {

/// to[i] = convert(from[i]) over unaligned elements of type From and To. Returns the first i whose conversion `lost`
/// its value, or count.
template <class From, class To, class Convert, class Lost>
std::size_t convert_each(const void* from, std::size_t count, void* to, const Convert& convert, const Lost& lost) {
  const auto* source = static_cast<const unsigned char*>(from);
  auto* target = static_cast<unsigned char*>(to);
  std::size_t first = count;
  for (std::size_t i = 0; i < count; ++i) {
    From element;
    std::memcpy(&element, source + i * sizeof(From), sizeof(From));
    const To result = convert(element);
    std::memcpy(target + i * sizeof(To), &result, sizeof(To));
    if (lost(element, result)) first = std::min(first, i);
  }
  return first;
}

template <class From, class To, class Convert>
std::size_t convert_each(const void* from, std::size_t count, void* to, const Convert& convert) {
  return convert_each<From, To>(from, count, to, convert, [](From, To) { return false; });
}

template <class From, class To>
std::size_t cast_each(const void* from, std::size_t count, void* to) {
  if constexpr (std::same_as<From, To>) {
    if (count != 0) std::memcpy(to, from, count * sizeof(From));
    return count;
  } else {
    return convert_each<From, To>(from, count, to, [](From element) { return static_cast<To>(element); });
  }
}

// By the bits, which -ffast-math leaves alone.
inline bool is_finite(float value) { return (std::bit_cast<std::uint32_t>(value) & 0x7f800000U) != 0x7f800000U; }
inline bool is_finite(double value) { return (std::bit_cast<std::uint64_t>(value) >> 52 & 0x7ffU) != 0x7ffU; }

}  // namespace detail

/// Converts `count` elements of a file to T. Returns the first element that does not fit T (U64 from 2^63 on), or
/// count. Requires can_decode<T>(dtype).
template <Element T>
std::size_t decode(DType dtype, const void* from, std::size_t count, T* to) {
  if constexpr (std::floating_point<T>) {
    switch (dtype) {
      case DType::f64:
        return detail::cast_each<double, T>(from, count, to);
      case DType::f32:
        return detail::cast_each<float, T>(from, count, to);
      case DType::f16:
        return detail::convert_each<std::uint16_t, T>(
            from, count, to, [](std::uint16_t bits) { return static_cast<T>(float_from_float16(bits)); });
      case DType::bf16:
        return detail::convert_each<std::uint16_t, T>(
            from, count, to, [](std::uint16_t bits) { return static_cast<T>(float_from_bfloat16(bits)); });
      default:
        return 0;
    }
  } else {
    switch (dtype) {
      case DType::boolean:
        return detail::convert_each<std::uint8_t, T>(from, count, to, [](std::uint8_t b) { return T{b != 0}; });
      case DType::u8:
        return detail::cast_each<std::uint8_t, T>(from, count, to);
      case DType::i8:
        return detail::cast_each<std::int8_t, T>(from, count, to);
      case DType::u16:
        return detail::cast_each<std::uint16_t, T>(from, count, to);
      case DType::i16:
        return detail::cast_each<std::int16_t, T>(from, count, to);
      case DType::u32:
        return detail::cast_each<std::uint32_t, T>(from, count, to);
      case DType::i32:
        return detail::cast_each<std::int32_t, T>(from, count, to);
      case DType::i64:
        return detail::cast_each<std::int64_t, T>(from, count, to);
      case DType::u64:
        return detail::convert_each<std::uint64_t, T>(
            from, count, to, [](std::uint64_t value) { return static_cast<T>(value); },
            [](std::uint64_t, T result) { return result < 0; });
      default:
        return 0;
    }
  }
}

/// Converts `count` values to elements of a file. Returns the first value that does not fit `dtype` (a finite one that
/// would become infinite, an integer out of range), or count. Requires can_encode<T>(dtype).
template <Element T>
std::size_t encode(DType dtype, const T* from, std::size_t count, void* to) {
  if constexpr (std::floating_point<T>) {
    const auto lost = [](T value, auto result) { return detail::is_finite(value) && !detail::is_finite(result); };
    switch (dtype) {
      case DType::f64:
        return detail::cast_each<T, double>(from, count, to);
      case DType::f32:
        return detail::convert_each<T, float>(
            from, count, to, [](T value) { return static_cast<float>(value); }, lost);
      case DType::f16:
        return detail::convert_each<T, std::uint16_t>(
            from, count, to, [](T value) { return float16_from_float(static_cast<float>(value)); },
            [&](T value, std::uint16_t bits) { return lost(value, float_from_float16(bits)); });
      case DType::bf16:
        return detail::convert_each<T, std::uint16_t>(
            from, count, to, [](T value) { return bfloat16_from_float(static_cast<float>(value)); },
            [&](T value, std::uint16_t bits) { return lost(value, float_from_bfloat16(bits)); });
      default:
        return 0;
    }
  } else {
    if (dtype == DType::i64) return detail::cast_each<T, std::int64_t>(from, count, to);
    return detail::convert_each<T, std::int32_t>(
        from, count, to, [](T value) { return static_cast<std::int32_t>(value); },
        [](T value, std::int32_t result) { return value != result; });
  }
}

}  // namespace couplet::inline COUPLET_ABI::checkpoint
