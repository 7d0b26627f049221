// Softmax; see simd/softmax.hpp.
namespace softmax {

/// Stands in lanes that do not exist: too low to be the largest, and its exponential is 0.
inline constexpr float far_below = -3.0e38F;

/// 2^t for what a softmax takes it of, t <= 0 (up to some rounding): three quarters of the work of exp(). The result is
/// 2^n 2^r with r in [-1/2, 1/2] and a minimax polynomial (Remez) for 2^r. Relative error 1e-7; 0 below t = -126 (no
/// denormals), as masked entries need it.
COUPLET_FORCE_INLINE Vec exp2_below_zero(Vec scaled) {
  const Vec lowest = set1(-126.0F);
  const Vec t = max(lowest, scaled);
  const Vec n = round(t);
  const Vec r = sub(t, n);
  Vec p = set1(1.534581202e-4F);
  p = fma(p, r, set1(1.339993122e-3F));
  p = fma(p, r, set1(9.618488957e-3F));
  p = fma(p, r, set1(5.550328777e-2F));
  p = fma(p, r, set1(2.402264689e-1F));
  p = fma(p, r, set1(6.931472057e-1F));
  p = fma(p, r, set1(1.000000001F));
  return select(less(scaled, lowest), set1(0.0F), scale_2n(p, n));
}
/// e^x, x <= 0: relative error 1e-7 + 8e-8 |x|.
COUPLET_FORCE_INLINE Vec exp_below_zero(Vec x) { return exp2_below_zero(mul(x, set1(1.44269504088896341F))); }

inline float largest_of(const float* x, Index n) {
  Vec largest = set1(far_below);
  for_each_vector(n, [&](Index c, auto lanes) { largest = max(largest, lanes.load_or(x + c, far_below)); });
  return max_of(largest);
}

/// y = exp(scale x + shift), scale x + shift <= 0; returns the sum.
inline float exp_and_sum(const float* x, Index n, float scale, float shift, float* y) {
  const Vec factor = set1(scale);
  const Vec offset = set1(shift);
  return sum_over(n, [=](Index c, auto lanes) {
    const Vec e = exp_below_zero(fma(factor, lanes.load_or(x + c, far_below), offset));
    lanes.store_to(y + c, e);
    return e;
  });
}

inline void multiply(float* y, Index n, float factor) {
  const Vec f = set1(factor);
  for_each_vector(n, [=](Index c, auto lanes) { lanes.store_to(y + c, mul(lanes.load_or(y + c, 0.0F), f)); });
}

inline void forward(const float* x, Index columns, float* y) {
  const float total = exp_and_sum(x, columns, 1.0F, -largest_of(x, columns), y);
  multiply(y, columns, divide(1.0F, total));
}

inline void backward(const float* y, const float* dy, Index columns, float* dx) {
  const auto y_at = [=](Index c, auto lanes) { return lanes.load_or(y + c, 0.0F); };
  const auto dy_at = [=](Index c, auto lanes) { return lanes.load_or(dy + c, 0.0F); };
  const Vec total = set1(sum_over(columns, [=](Index c, auto lanes) { return mul(y_at(c, lanes), dy_at(c, lanes)); }));
  for_each_vector(
      columns, [=](Index c, auto lanes) { lanes.store_to(dx + c, mul(y_at(c, lanes), sub(dy_at(c, lanes), total))); });
}

}  // namespace softmax

inline constexpr SoftmaxKernels softmax_kernels_table{&softmax::forward, &softmax::backward};
