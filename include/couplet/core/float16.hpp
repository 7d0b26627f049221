#pragma once
/// The bits of 16-bit floating-point numbers as files hold them, to and from float.
///
/// float16 is IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits), bfloat16 the upper half of binary32 (1, 8, 7).
/// Both conversions to 16 bits round to nearest, ties to even, with subnormals; a NaN stays a NaN. They work on the
/// bits alone, so that neither -ffast-math nor a flush-to-zero mode of the caller changes a result.
#include <bit>
#include <cstdint>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

constexpr float float_from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

constexpr std::uint16_t bfloat16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);  // NaN, made quiet
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

constexpr float float_from_float16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1fU;
  std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | fraction << 13);  // infinity, NaN
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112U) << 23 | fraction << 13);
  if (fraction == 0) return std::bit_cast<float>(sign);
  // A subnormal is fraction * 2^-24; with its highest bit at place p (0..9) it is 1.xxx * 2^(p-24).
  const auto place = static_cast<std::uint32_t>(std::bit_width(fraction)) - 1U;
  return std::bit_cast<float>(sign | (place + 103U) << 23 | (fraction << (23U - place) & 0x7fffffU));
}

namespace detail {

/// bits / 2^shift, rounded to nearest, ties to even; 1 <= shift <= 31.
constexpr std::uint32_t shift_and_round(std::uint32_t bits, std::uint32_t shift) {
  const std::uint32_t quotient = bits >> shift, rest = bits & ((1U << shift) - 1U), half = 1U << (shift - 1U);
  return quotient + (rest > half || (rest == half && (quotient & 1U) != 0) ? 1U : 0U);
}

}  // namespace detail

constexpr std::uint16_t float16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000U) {  // NaN, made quiet
    half = 0x7e00U | (magnitude >> 13 & 0x3ffU);
  } else if (magnitude >= 0x477ff000U) {  // 65520, half way from the largest finite value to 2^16, and above
    half = 0x7c00U;
  } else if (magnitude >= 0x38800000U) {  // 2^-14, the smallest normal value; a carry moves into the exponent
    half = detail::shift_and_round(magnitude - 0x38000000U, 13);
  } else if (magnitude > 0x33000000U) {  // above 2^-25, half of the smallest subnormal value 2^-24
    half = detail::shift_and_round((magnitude & 0x7fffffU) | 0x800000U, 126U - (magnitude >> 23));
  }
  return static_cast<std::uint16_t>(sign | half);
}

}  // namespace couplet::inline COUPLET_ABI
