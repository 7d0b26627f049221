#include "couplet/simd/adamw.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet {
namespace {

using test::GuardedMatrix;
using test::random_vector;

constexpr double learning_rate = 1e-3;
constexpr double weight_decay = 0.2;
constexpr double beta1 = 0.9;
constexpr double beta2 = 0.98;
constexpr double eps = 1e-6;
constexpr double grad_scale = 0.5;

simd::AdamWFactors factors(double step) {
  simd::AdamWFactors f{};
  f.grad_scale = static_cast<float>(grad_scale);
  f.decay = static_cast<float>(1 - learning_rate * weight_decay);
  f.one_minus_beta1 = static_cast<float>(1 - beta1);
  f.beta2 = static_cast<float>(beta2);
  f.one_minus_beta2 = static_cast<float>(1 - beta2);
  f.step_size = static_cast<float>(learning_rate / (1 - std::pow(beta1, step)));
  f.bias_correction2_sqrt = static_cast<float>(std::sqrt(1 - std::pow(beta2, step)));
  f.eps = static_cast<float>(eps);
  return f;
}

/// torch.optim.AdamW in double, written down from its documentation.
void reference_step(double step, double grad, double& value, double& m, double& v) {
  const double g = grad_scale * grad;
  value -= learning_rate * weight_decay * value;
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * g * g;
  const double m_hat = m / (1 - std::pow(beta1, step));
  const double v_hat = v / (1 - std::pow(beta2, step));
  value -= learning_rate * m_hat / (std::sqrt(v_hat) + eps);
}

TEST(AdamWKernel, FollowsTheDefinitionForEveryLengthOnEveryLevel) {
  test::for_each_level([](simd::Level) {
    for (Index n = 1; n <= 67; ++n) {
      const auto start = random_vector<double>(n, 1);
      GuardedMatrix<float> value(1, n, start);
      GuardedMatrix<float> m(1, n);
      GuardedMatrix<float> v(1, n);
      Tensor<double, 1> expected = start;
      Tensor<double, 1> expected_m({n});
      Tensor<double, 1> expected_v({n});
      for (int step = 1; step <= 3; ++step) {
        const auto grad = random_vector<float>(n, static_cast<std::uint64_t>(10 + step));
        simd::adamw_kernels().update(factors(step), grad.data(), value.view().data(), m.view().data(), v.view().data(),
                                     n);
        for (Index i = 0; i < n; ++i) {
          reference_step(step, static_cast<double>(grad[i]), expected[i], expected_m[i], expected_v[i]);
        }
      }
      ASSERT_TRUE(test::near_relative_to_max(value.values(), expected, 4e-7));
      ASSERT_TRUE(test::near_relative_to_max(m.values(), expected_m, 5e-7));
      ASSERT_TRUE(test::near_relative_to_max(v.values(), expected_v, 5e-7));
      ASSERT_TRUE(value.intact() && m.intact() && v.intact());
    }
  });
}

TEST(AdamWKernel, HasTheSameBitsWhereverAnElementLies) {
  test::for_each_level([](simd::Level) {
    const auto grad = random_vector<float>(50, 1);
    auto value = random_vector<float>(50, 2);
    auto alone = value;
    Tensor<float, 1> m({50});
    Tensor<float, 1> v({50});
    simd::adamw_kernels().update(factors(1), grad.data(), value.data(), m.data(), v.data(), 50);
    for (Index i = 0; i < 50; ++i) {
      float own_m = 0;
      float own_v = 0;
      simd::adamw_kernels().update(factors(1), grad.data() + i, alone.data() + i, &own_m, &own_v, 1);
    }
    EXPECT_TRUE(test::same_bits(alone, value));
  });
}

}  // namespace
}  // namespace couplet
