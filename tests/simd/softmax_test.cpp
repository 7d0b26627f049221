#include "couplet/simd/softmax.hpp"

#include <gtest/gtest.h>

#include "support/levels.hpp"
#include "support/random_tensor.hpp"

// tests/ops/softmax_test.cpp compares the kernels with the double reference for widths 1 to 67.
namespace couplet {
namespace {

TEST(SoftmaxKernel, SumsToOne) {
  test::for_each_level([](simd::Level) {
    for (const Index columns : {1, 15, 16, 17, 1000}) {
      const auto x = test::random_vector<float>(columns, 1, 5.0);
      Tensor<float, 1> y({columns});
      simd::softmax_kernels().forward(x.data(), columns, y.data());
      double sum = 0;
      for (Index c = 0; c < columns; ++c) sum += static_cast<double>(y[c]);
      EXPECT_NEAR(sum, 1.0, 5e-7);
    }
  });
}

TEST(SoftmaxKernel, SendsNotANumberOn) {
  test::for_each_level([](simd::Level) {
    for (const Index place : {0, 5, 16, 36}) {
      Tensor<float, 1> x({37});
      x[place] = NAN;
      simd::softmax_kernels().forward(x.data(), 37, x.data());
      EXPECT_TRUE(std::isnan(x[place]));
      EXPECT_TRUE(std::isnan(x[(place + 1) % 37]));
    }
  });
}

}  // namespace
}  // namespace couplet
