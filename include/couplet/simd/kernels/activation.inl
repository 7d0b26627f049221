// Activations and their derivatives; see simd/activation.hpp.
namespace activations {

/// Phi(x) + x phi(x)
COUPLET_FORCE_INLINE Vec gelu_derivative(Vec x) {
  const Vec a = abs(x);
  const Vec e = exp(mul(mul(a, a), set1(-0.5F)));
  const Vec tail = normal_tail(a, e);
  const Vec distribution = select(less(x, set1(0.0F)), tail, sub(set1(1.0F), tail));
  return fma(x, mul(e, set1(0.398942280F)), distribution);
}

/// d/dx x s with s = sigmoid(u):   s + x s (1 - s) u'.   With e = exp(-|u|), s (1 - s) = e / (1 + e)^2 and nothing
/// cancels.
COUPLET_FORCE_INLINE Vec gated_derivative(Vec x, Vec u, Vec du) {
  const Vec e = exp(neg(abs(u)));
  const Vec sigmoid_of_abs = div(set1(1.0F), add(set1(1.0F), e));
  const Vec product = mul(e, sigmoid_of_abs);
  const Vec s = select(less(u, set1(0.0F)), product, sigmoid_of_abs);
  return fma(mul(x, mul(product, sigmoid_of_abs)), du, s);
}

template <Activation kind>
COUPLET_FORCE_INLINE Vec derivative(Vec x) {
  if constexpr (kind == Activation::gelu) return gelu_derivative(x);
  if constexpr (kind == Activation::gelu_tanh) {
    const Vec x2 = mul(x, x);
    const Vec u = mul(x, fma(x2, set1(0.0713548163F), set1(1.5957691216F)));
    return gated_derivative(x, u, fma(x2, set1(3 * 0.0713548163F), set1(1.5957691216F)));
  }
  if constexpr (kind == Activation::quick_gelu) return gated_derivative(x, mul(x, set1(1.702F)), set1(1.702F));
  if constexpr (kind == Activation::silu) return gated_derivative(x, x, set1(1.0F));
  if constexpr (kind == Activation::relu) return select(less(set1(0.0F), x), set1(1.0F), set1(0.0F));
  return set1(1.0F);
}

template <Activation kind>
inline void forward_of(const float* x, Index n, float* y) {
  for_each_vector(n, [=](Index c, auto lanes) { lanes.store_to(y + c, activation<kind>(lanes.load_or(x + c, 0.0F))); });
}

template <Activation kind>
inline void backward_of(const float* x, const float* dy, Index n, float* dx) {
  for_each_vector(n, [=](Index c, auto lanes) {
    lanes.store_to(dx + c, mul(lanes.load_or(dy + c, 0.0F), derivative<kind>(lanes.load_or(x + c, 0.0F))));
  });
}

inline void forward(Activation kind, const float* x, Index n, float* y) {
  switch (kind) {
    case Activation::identity:
      return forward_of<Activation::identity>(x, n, y);
    case Activation::gelu:
      return forward_of<Activation::gelu>(x, n, y);
    case Activation::gelu_tanh:
      return forward_of<Activation::gelu_tanh>(x, n, y);
    case Activation::quick_gelu:
      return forward_of<Activation::quick_gelu>(x, n, y);
    case Activation::relu:
      return forward_of<Activation::relu>(x, n, y);
    case Activation::silu:
      return forward_of<Activation::silu>(x, n, y);
  }
}

inline void backward(Activation kind, const float* x, const float* dy, Index n, float* dx) {
  switch (kind) {
    case Activation::identity:
      return backward_of<Activation::identity>(x, dy, n, dx);
    case Activation::gelu:
      return backward_of<Activation::gelu>(x, dy, n, dx);
    case Activation::gelu_tanh:
      return backward_of<Activation::gelu_tanh>(x, dy, n, dx);
    case Activation::quick_gelu:
      return backward_of<Activation::quick_gelu>(x, dy, n, dx);
    case Activation::relu:
      return backward_of<Activation::relu>(x, dy, n, dx);
    case Activation::silu:
      return backward_of<Activation::silu>(x, dy, n, dx);
  }
}

}  // namespace activations

inline constexpr ActivationKernels activation_kernels_table{&activations::forward, &activations::backward};
