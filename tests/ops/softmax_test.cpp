#include "couplet/ops/softmax.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using test::GuardedMatrix;
using test::near_relative_to_max;
using test::random_matrix;

TEST(Softmax, HasTrueGradients) {
  auto x = random_matrix<double>(3, 7, 1);
  const auto dy = random_matrix<double>(3, 7, 2);
  Tensor<double, 2> y({3, 7});
  Tensor<double, 2> dx({3, 7});
  ops::softmax_forward<double>(x, y);
  ops::softmax_backward<double>(y, dy, dx);
  const auto loss = [&] {
    ops::softmax_forward<double>(x, y);
    return test::inner_product(test::elements(dy), test::elements(y));
  };
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

TEST(Softmax, IsAccurateForEveryWidthOnEveryLevel) {
  for (Index columns = 1; columns <= 67; ++columns) {
    const auto x = random_matrix<double>(4, columns, 1, 3.0);
    const auto dy = random_matrix<double>(4, columns, 2);
    Tensor<double, 2> y({4, columns});
    Tensor<double, 2> dx({4, columns});
    ops::softmax_forward<double>(x, y);
    ops::softmax_backward<double>(y, dy, dx);
    test::for_each_level([&](simd::Level) {
      const GuardedMatrix<float> x_float(4, columns, x);
      const GuardedMatrix<float> dy_float(4, columns, dy);
      GuardedMatrix<float> y_float(4, columns);
      GuardedMatrix<float> dx_float(4, columns);
      ops::softmax_forward<float>(x_float.view(), y_float.view());
      const TensorView<const float, 2> forward = y_float.view();
      ops::softmax_backward<float>(forward, dy_float.view(), dx_float.view());
      ASSERT_TRUE(near_relative_to_max(y_float.values(), y, 1e-6));
      if (columns > 1) {
        ASSERT_TRUE(near_relative_to_max(dx_float.values(), dx, 3e-6));
      }
      ASSERT_TRUE(y_float.intact() && dx_float.intact());
    });
  }
}

TEST(Softmax, IsUnmovedByLargeNumbers) {
  test::for_each_level([](simd::Level) {
    auto x = random_matrix<float>(2, 30, 1);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = std::round(x.data()[i] * 64) / 64;  // exact after the shift
    Tensor<float, 2> y({2, 30});
    ops::softmax_forward<float>(x, y);
    auto shifted = x;
    for (Index i = 0; i < x.size(); ++i) shifted.data()[i] += 4096;
    ops::softmax_forward<float>(shifted, shifted);
    EXPECT_TRUE(test::same_bits(shifted, y));
  });
}

TEST(Softmax, GivesMaskedEntriesNothing) {
  test::for_each_level([](simd::Level) {
    Tensor<float, 2> x({1, 20});
    x(0, 3) = -INFINITY;
    x(0, 19) = -1e30F;
    ops::softmax_forward<float>(x, x);
    EXPECT_EQ(x(0, 3), 0.0F);
    EXPECT_EQ(x(0, 19), 0.0F);
    EXPECT_NEAR(x(0, 0), 1.0F / 18, 1e-8F);
  });
}

TEST(Softmax, RefusesDifferentShapes) {
  Tensor<float, 2> x({3, 4});
  Tensor<float, 2> y({4, 3});
  EXPECT_THROW(ops::softmax_forward<float>(x, y), std::invalid_argument);
  EXPECT_THROW(ops::softmax_backward<float>(x, y, x), std::invalid_argument);
  EXPECT_THROW(ops::softmax_backward<float>(x, x, y), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
