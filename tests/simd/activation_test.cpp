#include "couplet/simd/activation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/levels.hpp"
#include "support/random_tensor.hpp"

// tests/ops/activation_test.cpp compares the kernels with the double reference for widths 1 to 67.
namespace couplet {
namespace {

TEST(ActivationKernel, HasTheDerivativeOfGeluOverTheWholeRange) {
  test::for_each_level([](simd::Level) {
    const Index n = 4001;
    Tensor<float, 1> x({n});
    Tensor<float, 1> ones({n});
    ones.fill(1.0F);
    for (Index i = 0; i < n; ++i) x[i] = static_cast<float>(i - 2000) / 128;
    Tensor<float, 1> dx({n});
    simd::activation_kernels().backward(Activation::gelu, x.data(), ones.data(), n, dx.data());
    for (Index i = 0; i < n; ++i) {
      const double v = static_cast<double>(x[i]);
      const double expected = 0.5 * std::erfc(-v / std::sqrt(2.0)) + v * std::exp(-0.5 * v * v) * 0.398942280401432678;
      ASSERT_NEAR(static_cast<double>(dx[i]), expected, 3e-7) << "at " << v;
    }
  });
}

TEST(ActivationKernel, HasTheSameBitsWhereverAnElementLies) {
  test::for_each_level([](simd::Level) {
    for (const Activation kind :
         {Activation::gelu, Activation::gelu_tanh, Activation::quick_gelu, Activation::relu, Activation::silu}) {
      const auto x = test::random_vector<float>(50, 1, 3.0);
      const auto dy = test::random_vector<float>(50, 2);
      Tensor<float, 1> y({50});
      Tensor<float, 1> dx({50});
      simd::activation_kernels().forward(kind, x.data(), 50, y.data());
      simd::activation_kernels().backward(kind, x.data(), dy.data(), 50, dx.data());
      for (Index i = 0; i < 50; ++i) {
        float own = 0;
        simd::activation_kernels().forward(kind, x.data() + i, 1, &own);
        EXPECT_EQ(own, y[i]);
        simd::activation_kernels().backward(kind, x.data() + i, dy.data() + i, 1, &own);
        EXPECT_EQ(own, dx[i]);
      }
    }
  });
}

}  // namespace
}  // namespace couplet
