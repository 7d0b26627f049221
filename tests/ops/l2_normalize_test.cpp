#include "couplet/ops/l2_normalize.hpp"

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

TEST(L2Normalize, HasTrueGradients) {
  auto x = random_matrix<double>(3, 6, 1);
  for (Index c = 0; c < 6; ++c) x(2, c) *= 0.01;  // shorter than eps = 0.1: divided by eps
  const auto dy = random_matrix<double>(3, 6, 2);
  Tensor<double, 2> y({3, 6});
  Tensor<double, 1> norms({3});
  Tensor<double, 2> dx({3, 6});
  const auto loss = [&] {
    ops::l2_normalize_forward<double>(x, y, norms, 0.1);
    return test::inner_product(test::elements(dy), test::elements(y));
  };
  loss();
  ops::l2_normalize_backward<double>(dy, y, norms, dx);
  EXPECT_EQ(norms[2], 0.1);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

TEST(L2Normalize, IsAccurateForEveryWidthOnEveryLevel) {
  for (Index columns = 1; columns <= 67; ++columns) {
    const auto x = random_matrix<double>(3, columns, 1);
    const auto dy = random_matrix<double>(3, columns, 2);
    Tensor<double, 2> y({3, columns});
    Tensor<double, 1> norms({3});
    Tensor<double, 2> dx({3, columns});
    ops::l2_normalize_forward<double>(x, y, norms);
    ops::l2_normalize_backward<double>(dy, y, norms, dx);
    test::for_each_level([&](simd::Level) {
      const GuardedMatrix<float> x_float(3, columns, x);
      const GuardedMatrix<float> dy_float(3, columns, dy);
      GuardedMatrix<float> y_float(3, columns);
      GuardedMatrix<float> dx_float(3, columns);
      Tensor<float, 1> norms_float({3});
      ops::l2_normalize_forward<float>(x_float.view(), y_float.view(), norms_float);
      const TensorView<const float, 2> forward = y_float.view();
      ops::l2_normalize_backward<float>(dy_float.view(), forward, norms_float, dx_float.view());
      ASSERT_TRUE(near_relative_to_max(y_float.values(), y, 2e-7));
      ASSERT_TRUE(near_relative_to_max(norms_float, norms, 1e-7));
      if (columns > 1) {
        ASSERT_TRUE(near_relative_to_max(dx_float.values(), dx, 2e-6));
      }
      ASSERT_TRUE(y_float.intact() && dx_float.intact());
    });
  }
}

TEST(L2Normalize, LosesNeitherTinyNorHugeRows) {
  test::for_each_level([](simd::Level) {
    Tensor<float, 2> x({3, 20});
    for (Index c = 0; c < 20; ++c) {
      x(0, c) = 1e-30F;
      x(1, c) = 1e30F;
    }
    Tensor<float, 2> y({3, 20});
    ops::l2_normalize_forward<float>(x, y, {}, 1e-35F);
    for (Index c = 0; c < 20; ++c) {
      EXPECT_NEAR(y(0, c), 1 / std::sqrt(20.0F), 1e-7F);
      EXPECT_NEAR(y(1, c), 1 / std::sqrt(20.0F), 1e-7F);
      EXPECT_EQ(y(2, c), 0.0F);
    }
  });
}

TEST(L2Normalize, RefusesShapesThatDoNotFit) {
  Tensor<float, 2> x({3, 4});
  Tensor<float, 2> y({3, 5});
  Tensor<float, 1> norms({2});
  EXPECT_THROW(ops::l2_normalize_forward<float>(x, y, {}), std::invalid_argument);
  EXPECT_THROW(ops::l2_normalize_forward<float>(x, x, norms), std::invalid_argument);
  EXPECT_THROW(ops::l2_normalize_backward<float>(x, x, norms, x), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
