#include "couplet/ops/average_pool_2d.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"

namespace couplet {
namespace {

constexpr ops::FeatureMap odd_map{2, 5, 6};  // a line of pixels is left over

TEST(AveragePool2d, IsTheMeanOfEachSquare) {
  const auto x = test::random_matrix<double>(odd_map.rows(), 3, 1);
  Tensor<double, 2> y({12, 3});
  ops::average_pool_2d_forward<double>(x, odd_map, 2, y);
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < 2; ++i) {
      for (Index j = 0; j < 3; ++j) {
        for (Index c = 0; c < 3; ++c) {
          const auto at = [&](Index dy, Index dx) { return x((b * 5 + 2 * i + dy) * 6 + 2 * j + dx, c); };
          const double mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
          EXPECT_NEAR(y((b * 2 + i) * 3 + j, c), mean, 1e-15);
        }
      }
    }
  }
}

TEST(AveragePool2d, HasTrueGradientsThatCanBeAdded) {
  auto x = test::random_matrix<double>(odd_map.rows(), 3, 1);
  const auto dy = test::random_matrix<double>(12, 3, 2);
  Tensor<double, 2> y({12, 3});
  auto dx = test::random_matrix<double>(odd_map.rows(), 3, 3);
  ops::average_pool_2d_backward<double>(dy, odd_map, 2, dx, false);
  const auto loss = [&] {
    ops::average_pool_2d_forward<double>(x, odd_map, 2, y);
    return test::inner_product(test::elements(dy), test::elements(y));
  };
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  Tensor<double, 2> twice = dx;
  ops::average_pool_2d_backward<double>(dy, odd_map, 2, twice, true);
  for (Index i = 0; i < dx.size(); ++i) EXPECT_EQ(twice.data()[i], 2 * dx.data()[i]);
}

TEST(AveragePool2d, GivesTheSameBitsOnAnyNumberOfThreads) {
  const ops::FeatureMap large{2, 64, 64};
  const auto x = test::random_matrix<float>(large.rows(), 9, 1);
  Tensor<float, 2> one({2048, 9}), two({2048, 9});
  {
    const ThreadLimit serial(1);
    ops::average_pool_2d_forward<float>(x, large, 2, one);
  }
  ops::average_pool_2d_forward<float>(x, large, 2, two);
  EXPECT_TRUE(test::same_bits(one, two));
}

TEST(AveragePool2d, RefusesShapesThatDoNotFit) {
  Tensor<float, 2> x({odd_map.rows(), 3}), y({12, 2});
  EXPECT_THROW(ops::average_pool_2d_forward<float>(x, odd_map, 2, y), std::invalid_argument);
  EXPECT_THROW(ops::average_pool_2d_forward<float>(x, odd_map, 0, y), std::invalid_argument);
  EXPECT_THROW(ops::average_pool_2d_backward<float>(y, odd_map, 2, x, false), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
