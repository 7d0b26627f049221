#pragma once
/// Finding infinities and NaN where the compiler was told that there are none.
///
/// Under -ffast-math std::isfinite and comparisons with infinity fold to a constant. Reading the exponent's bits
/// through memcpy from memory survives (seen with g++ 12 and clang++ 14), and as integer code it runs at the speed of
/// memory.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// True when the exponent of *value is not all ones.
template <class T>
[[nodiscard]] inline bool is_finite(const T* value) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = sizeof(T) == 4 ? Bits{0x7f800000U} : static_cast<Bits>(0x7ff0000000000000ULL);
  Bits bits;
  std::memcpy(&bits, value, sizeof(bits));
  return (bits & exponent) != exponent;
}

/// How many of values[0 .. count) are infinite or NaN.
template <class T>
[[nodiscard]] Index count_non_finite(const T* values, Index count) {
  Index found = 0;
  for (Index i = 0; i < count; ++i) found += is_finite(values + i) ? 0 : 1;
  return found;
}

/// The position of the first such value; `count` when there is none.
template <class T>
[[nodiscard]] Index first_non_finite(const T* values, Index count) {
  Index i = 0;
  while (i < count && is_finite(values + i)) ++i;
  return i;
}

}  // namespace couplet::inline COUPLET_ABI::optim
