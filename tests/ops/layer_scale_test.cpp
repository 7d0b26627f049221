#include "couplet/ops/layer_scale.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

TEST(LayerScale, ValuesByHand) {
  Tensor<float, 2> u({2, 2}), y({2, 2});
  for (Index i = 0; i < 4; ++i) u.data()[i] = static_cast<float>(i + 1);
  y.fill(10);
  Tensor<float, 1> gamma({2});
  gamma(0) = 0.5F;
  gamma(1) = -2;
  ops::layer_scale_forward<float>(u, gamma, y);
  EXPECT_EQ(y(0, 0), 10.5F);
  EXPECT_EQ(y(0, 1), 6);
  EXPECT_EQ(y(1, 0), 11.5F);
  EXPECT_EQ(y(1, 1), 2);
}

TEST(LayerScale, GradientsOfInputAndFactorsAndTheLatterAddUp) {
  auto u = test::random_matrix<double>(5, 3, 1);
  auto gamma = test::random_vector<double>(3, 2);
  const auto start = test::random_matrix<double>(5, 3, 3);
  const auto dy = test::random_matrix<double>(5, 3, 4);
  const auto loss = [&] {
    Tensor<double, 2> y = start;
    ops::layer_scale_forward<double>(u, gamma, y);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  Tensor<double, 2> du({5, 3});
  Tensor<double, 1> dgamma({3});
  dgamma.fill(0);
  ops::layer_scale_backward<double>(dy, u, gamma, du, dgamma);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(u), test::elements(du)));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(gamma), test::elements(dgamma)));
  const Tensor<double, 1> once = dgamma;
  ops::layer_scale_backward<double>(dy, u, gamma, du, dgamma);
  for (Index c = 0; c < 3; ++c) EXPECT_DOUBLE_EQ(dgamma(c), 2 * once(c));
}

TEST(LayerScale, SameBitsOnAnyNumberOfThreads) {
  const auto u = test::random_matrix<float>(700, 130, 1);
  const auto dy = test::random_matrix<float>(700, 130, 2);
  const auto gamma = test::random_vector<float>(130, 3);
  std::vector<Tensor<float, 1>> sums;
  std::vector<Tensor<float, 2>> outputs;
  for (const int threads : {1, 2, 3}) {
    const ThreadLimit limit(threads);
    Tensor<float, 2> y = dy, du({700, 130});
    Tensor<float, 1> dgamma({130});
    dgamma.fill(0);
    ops::layer_scale_forward<float>(u, gamma, y);
    ops::layer_scale_backward<float>(dy, u, gamma, du, dgamma);
    sums.push_back(dgamma);
    outputs.push_back(y);
  }
  for (std::size_t i = 1; i < sums.size(); ++i) {
    EXPECT_TRUE(test::same_bits(sums[i], sums[0]));
    EXPECT_TRUE(test::same_bits(outputs[i], outputs[0]));
  }
}

TEST(LayerScale, RefusesShapesThatDoNotFit) {
  Tensor<float, 2> u({3, 4}), y({3, 4}), other({4, 3});
  Tensor<float, 1> gamma({4}), short_gamma({3});
  EXPECT_THROW(ops::layer_scale_forward<float>(u, gamma, other), std::invalid_argument);
  EXPECT_THROW(ops::layer_scale_forward<float>(u, short_gamma, y), std::invalid_argument);
  EXPECT_THROW(ops::layer_scale_backward<float>(y, u, gamma, other, {}), std::invalid_argument);
}

}  // namespace
