#pragma once
/// bfloat16: the upper half of a float32 (8 bits of exponent, 7 of mantissa). Storage and packed operands only;
/// nothing is computed in it.
#include <bit>
#include <cstdint>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
  explicit bfloat16(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool is_nan = (word & 0x7fffffffU) > 0x7f800000U;
    const std::uint32_t rounded = is_nan ? (word | 0x00400000U) : word + 0x7fffU + ((word >> 16U) & 1U);
    bits = static_cast<std::uint16_t>(rounded >> 16U);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U); }
};
static_assert(sizeof(bfloat16) == 2);

}  // namespace couplet::inline COUPLET_ABI
