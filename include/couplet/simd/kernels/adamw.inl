// The AdamW update; see simd/adamw.hpp.
namespace adamw {

inline void update(const AdamWFactors& factors, const float* grad, float* value, float* exp_avg, float* exp_avg_sq,
                   Index n) {
  const AdamWFactors f = factors;
  for_each_vector(n, [=](Index i, auto lanes) {
    const Vec g = mul(lanes.load_or(grad + i, 0.0F), set1(f.grad_scale));
    const Vec old_m = lanes.load_or(exp_avg + i, 0.0F);
    const Vec m = fma(set1(f.one_minus_beta1), sub(g, old_m), old_m);
    const Vec decayed_v = mul(set1(f.beta2), lanes.load_or(exp_avg_sq + i, 0.0F));
    const Vec v = fma(mul(set1(f.one_minus_beta2), g), g, decayed_v);
    const Vec denominator = add(div(sqrt(v), set1(f.bias_correction2_sqrt)), set1(f.eps));
    const Vec decayed = mul(lanes.load_or(value + i, 0.0F), set1(f.decay));
    lanes.store_to(value + i, fnma(set1(f.step_size), div(m, denominator), decayed));
    lanes.store_to(exp_avg + i, m);
    lanes.store_to(exp_avg_sq + i, v);
  });
}

}  // namespace adamw

inline constexpr AdamWKernels adamw_kernels_table{&adamw::update};
