#include "couplet/nn/average_pool.hpp"

#include <array>

#include "support/gradient_check.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

constexpr std::array<Index, 3> two_offsets{0, 3, 5};

TEST(AveragePool, IsTheMeanWithoutTheClassToken) {
  Tensor<float, 2> x({5, 1}), y({2, 1});
  for (Index r = 0; r < 5; ++r) x(r, 0) = static_cast<float>(10 * r);
  nn::average_pool_forward<float>(x, Sequences(two_offsets), 1, y);
  EXPECT_EQ(y(0, 0), 15);
  EXPECT_EQ(y(1, 0), 40);
  nn::average_pool_forward<float>(x, Sequences(two_offsets), 0, y);
  EXPECT_EQ(y(0, 0), 10);
  EXPECT_EQ(y(1, 0), 35);
}

TEST(AveragePool, GradientIsRightAndZeroForTheClassToken) {
  auto x = test::random_matrix<double>(5, 4, 1);
  const auto dy = test::random_matrix<double>(2, 4, 2);
  const auto loss = [&] {
    Tensor<double, 2> y({2, 4});
    nn::average_pool_forward<double>(x, Sequences(two_offsets), 1, y);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  auto dx = test::random_matrix<double>(5, 4, 3);
  nn::average_pool_backward<double>(dy, Sequences(two_offsets), 1, dx);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  for (Index c = 0; c < 4; ++c) EXPECT_EQ(dx(3, c), 0);
}

}  // namespace
