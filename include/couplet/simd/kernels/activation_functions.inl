// exp, the Gaussian tail and the activations on one vector. Included per level; see simd/activation_functions.hpp.
// Largest errors against double on all levels (tests/simd/activation_functions_test.cpp):
//   exp 8.2e-8 and sigmoid 1.4e-7 relative; gelu, gelu_tanh, quick_gelu 1.2e-7 relative to max(1, |f|).

/// e^x. x = n ln 2 + r, |r| <= ln 2 / 2, ln 2 in two parts so that n times the first is exact; e^r by the polynomial of
/// Moshier's Cephes (expf). Below ln 2^-126 the result is 0 (no denormals), above 88.37 it stays 2.4e38.
COUPLET_FORCE_INLINE Vec exp(Vec x) {
  const Vec lowest = set1(-87.336544F);
  const Vec clamped = min(set1(88.376259F), max(lowest, x));
  const Vec n = round(mul(clamped, set1(1.44269504088896341F)));
  Vec r = fnma(n, set1(0.693359375F), clamped);
  r = fnma(n, set1(-2.12194440e-4F), r);
  Vec p = set1(1.9875691500e-4F);
  p = fma(p, r, set1(1.3981999507e-3F));
  p = fma(p, r, set1(8.3334519073e-3F));
  p = fma(p, r, set1(4.1665795894e-2F));
  p = fma(p, r, set1(1.6666665459e-1F));
  p = fma(p, r, set1(5.0000001201e-1F));
  p = add(fma(mul(r, r), p, r), set1(1.0F));
  return select(less(x, lowest), set1(0.0F), scale_2n(p, n));
}

/// 1 / (1 + e^-x), the logistic sigmoid.
COUPLET_FORCE_INLINE Vec sigmoid(Vec x) { return div(set1(1.0F), add(set1(1.0F), exp(neg(x)))); }

/// Phi(-a) = erfc(a / sqrt 2) / 2 for a >= 0, given e^(-a^2 / 2): the Gaussian distribution's tail.
/// Phi(-a) e^(a^2 / 2) = t P(t) with t = 1 / (1 + 0.3025 a): a minimax fit (Remez) of relative error 9.4e-8 for a
/// < 13.3, beyond which the exponential is 0.
COUPLET_FORCE_INLINE Vec normal_tail(Vec a, Vec exp_of_minus_half_a_squared) {
  const Vec t = div(set1(1.0F), fma(a, set1(0.3025F), set1(1.0F)));
  Vec p = set1(0.03660877069F);
  p = fma(p, t, set1(-0.156813094F));
  p = fma(p, t, set1(0.1987677934F));
  p = fma(p, t, set1(-0.04817038606F));
  p = fma(p, t, set1(0.1259939305F));
  p = fma(p, t, set1(0.1013157829F));
  p = fma(p, t, set1(0.1216662732F));
  p = fma(p, t, set1(0.120630898F));
  return mul(mul(p, t), exp_of_minus_half_a_squared);
}

/// x Phi(x) = max(x, 0) - |x| Phi(-|x|): no cancellation, so the left tail keeps its relative accuracy.
COUPLET_FORCE_INLINE Vec gelu(Vec x) {
  const Vec a = abs(x);
  const Vec tail = normal_tail(a, exp(mul(mul(a, a), set1(-0.5F))));
  return fnma(a, tail, max(set1(0.0F), x));
}

/// x (1 + tanh u) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
COUPLET_FORCE_INLINE Vec gelu_tanh(Vec x) {
  const Vec slope = fma(mul(x, x), set1(-0.0713548163F), set1(-1.5957691216F));
  return div(x, add(set1(1.0F), exp(mul(x, slope))));
}

/// x sigmoid(1.702 x).
COUPLET_FORCE_INLINE Vec quick_gelu(Vec x) { return div(x, add(set1(1.0F), exp(mul(x, set1(-1.702F))))); }

/// x sigmoid(x).
COUPLET_FORCE_INLINE Vec silu(Vec x) { return div(x, add(set1(1.0F), exp(neg(x)))); }

template <Activation kind>
COUPLET_FORCE_INLINE Vec activation(Vec x) {
  if constexpr (kind == Activation::gelu) return gelu(x);
  if constexpr (kind == Activation::gelu_tanh) return gelu_tanh(x);
  if constexpr (kind == Activation::quick_gelu) return quick_gelu(x);
  if constexpr (kind == Activation::relu) return max(set1(0.0F), x);
  if constexpr (kind == Activation::silu) return silu(x);
  return x;
}
