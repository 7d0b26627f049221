#include "couplet/ops/residual.hpp"

#include <gtest/gtest.h>

#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet {
namespace {

TEST(Residual, AddsOnEveryLevel) {
  test::for_each_level([](simd::Level) {
    for (Index columns = 1; columns <= 67; ++columns) {
      const auto x = test::random_matrix<float>(3, columns, 1);
      const auto y = test::random_matrix<float>(3, columns, 2);
      test::GuardedMatrix<float> sum(3, columns, y);
      ops::residual_add<float>(x, sum.view());
      for (Index i = 0; i < x.size(); ++i) {
        EXPECT_EQ(sum.view()(i / columns, i % columns), x.data()[i] + y.data()[i]);
      }
      ASSERT_TRUE(sum.intact());
    }
  });
}

TEST(Residual, AddsInDouble) {
  Tensor<double, 2> x({1, 2});
  x.fill(0.25);
  Tensor<double, 2> y({1, 2});
  y.fill(0.5);
  ops::residual_add<double>(x, y);
  EXPECT_EQ(y(0, 1), 0.75);
}

TEST(Residual, RefusesDifferentShapes) {
  Tensor<float, 2> x({3, 4});
  Tensor<float, 2> y({4, 3});
  EXPECT_THROW(ops::residual_add<float>(x, y), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
