#pragma once
/// Double arithmetic that means what it says, whatever the compiler was told.
///
/// Resized pixels and normalised values are promised byte for byte. -ffast-math (reassociation, reciprocals),
/// -ffp-contract=fast (the default of g++: a * b + c in one rounding wherever -march offers it) and vector versions of
/// sin and cos would break that. Every result here passes through an empty asm statement that the optimiser cannot look
/// into, so each operation is rounded once, in the written order. Costs nothing but vectorisation: used for tables
/// only.
#include <cmath>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::image::exact {

/// The same value, of unknown origin to the optimiser.
[[gnu::always_inline]] inline double opaque(double value) noexcept {
#if defined(__SSE2__)
  asm("" : "+x"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#else
  asm("" : "+m"(value));
#endif
  return value;
}

[[gnu::always_inline]] inline double add(double a, double b) noexcept { return opaque(opaque(a) + opaque(b)); }
[[gnu::always_inline]] inline double sub(double a, double b) noexcept { return opaque(opaque(a) - opaque(b)); }
[[gnu::always_inline]] inline double mul(double a, double b) noexcept { return opaque(opaque(a) * opaque(b)); }
[[gnu::always_inline]] inline double div(double a, double b) noexcept { return opaque(opaque(a) / opaque(b)); }
inline double sin(double a) noexcept { return opaque(std::sin(opaque(a))); }
inline double cos(double a) noexcept { return opaque(std::cos(opaque(a))); }

/// float32 operations. A sum, product or quotient of two floats computed in double and rounded to float equals the
/// IEEE float32 operation (53 >= 2 * 24 + 2 bits), and no flag replaces a double division by an approximation.
[[gnu::always_inline]] inline float to_float(double a) noexcept {
  return static_cast<float>(opaque(static_cast<double>(static_cast<float>(opaque(a)))));
}
[[gnu::always_inline]] inline float sub_float(float a, float b) noexcept { return to_float(sub(a, b)); }
[[gnu::always_inline]] inline float mul_float(float a, float b) noexcept { return to_float(mul(a, b)); }
[[gnu::always_inline]] inline float div_float(float a, float b) noexcept { return to_float(div(a, b)); }

/// Python's round(): to the nearest integer, halves to even; `a` in (-2^31, 2^31).
inline int round_half_even(double a) noexcept {
  const double low = std::floor(a);
  const double rest = sub(a, low);
  const int n = static_cast<int>(low);
  return rest < 0.5 || (rest == 0.5 && n % 2 == 0) ? n : n + 1;
}

}  // namespace couplet::inline COUPLET_ABI::image::exact
