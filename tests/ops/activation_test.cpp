#include "couplet/ops/activation.hpp"

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

constexpr Activation kinds[] = {Activation::identity,   Activation::gelu, Activation::gelu_tanh,
                                Activation::quick_gelu, Activation::relu, Activation::silu};

TEST(Activation, HasTheValuesOfItsFormulas) {
  // x (1 + erf(x / sqrt 2)) / 2, its tanh form and x / (1 + exp(-a x)) by Python's math module.
  Tensor<double, 2> x({1, 4});
  const double inputs[] = {-3.0, -0.5, 0.0, 1.5};
  std::copy_n(inputs, 4, x.data());
  Tensor<double, 2> expected({5, 4});
  const double values[] = {-0.00404969409489031,
                           -0.15426876936299344,
                           0.0,
                           1.399789198096713,
                           -0.0036373920817729943,
                           -0.15428599017485606,
                           0.0,
                           1.3995715769802328,
                           -0.01807130970778597,
                           -0.1496115633936199,
                           0.0,
                           1.3916621984470767,
                           0.0,
                           0.0,
                           0.0,
                           1.5,
                           -0.14227761953270035,
                           -0.1887703343990727,
                           0.0,
                           1.2263617142904655};
  std::copy_n(values, 20, expected.data());
  for (Index i = 0; i < 5; ++i) {
    Tensor<double, 2> y({1, 4});
    ops::activation_forward<double>(kinds[i + 1], x, y);
    for (Index c = 0; c < 4; ++c) EXPECT_NEAR(y(0, c), expected(i, c), 1e-15);
  }
}

TEST(Activation, HasTrueGradients) {
  for (const Activation kind : kinds) {
    auto x = random_matrix<double>(4, 9, 1, 2.0);
    const auto dy = random_matrix<double>(4, 9, 2);
    Tensor<double, 2> y({4, 9});
    Tensor<double, 2> dx({4, 9});
    ops::activation_backward<double>(kind, x, dy, dx);
    const auto loss = [&] {
      ops::activation_forward<double>(kind, x, y);
      return test::inner_product(test::elements(dy), test::elements(y));
    };
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  }
}

TEST(Activation, IsAccurateForEveryWidthOnEveryLevel) {
  test::for_each_level([](simd::Level) {
    for (const Activation kind : kinds) {
      for (Index columns = 1; columns <= 67; ++columns) {
        const auto x = random_matrix<double>(3, columns, 1, 3.0);
        const auto dy = random_matrix<double>(3, columns, 2);
        Tensor<double, 2> y({3, columns});
        Tensor<double, 2> dx({3, columns});
        ops::activation_forward<double>(kind, x, y);
        ops::activation_backward<double>(kind, x, dy, dx);
        const GuardedMatrix<float> x_float(3, columns, x);
        const GuardedMatrix<float> dy_float(3, columns, dy);
        GuardedMatrix<float> y_float(3, columns);
        GuardedMatrix<float> dx_float(3, columns);
        ops::activation_forward<float>(kind, x_float.view(), y_float.view());
        ops::activation_backward<float>(kind, x_float.view(), dy_float.view(), dx_float.view());
        ASSERT_TRUE(near_relative_to_max(y_float.values(), y, 4e-7));
        ASSERT_TRUE(near_relative_to_max(dx_float.values(), dx, 1e-6));
        ASSERT_TRUE(y_float.intact() && dx_float.intact());
      }
    }
  });
}

TEST(Activation, HasAccurateDerivativesOverTheWholeRange) {
  Tensor<double, 2> x({1, 4001});
  Tensor<double, 2> ones({1, 4001});
  ones.fill(1);
  for (Index i = 0; i < 4001; ++i) x(0, i) = static_cast<double>(i - 2000) / 128;  // exact in float
  const auto x_float = test::converted<float>(x);
  const auto ones_float = test::converted<float>(ones);
  test::for_each_level([&](simd::Level) {
    for (const Activation kind : kinds) {
      Tensor<double, 2> dx({1, 4001});
      Tensor<float, 2> dx_float({1, 4001});
      ops::activation_backward<double>(kind, x, ones, dx);
      ops::activation_backward<float>(kind, x_float, ones_float, dx_float);
      EXPECT_LE(test::largest_error(dx_float, dx), 3e-7);
    }
  });
}

TEST(Activation, WorksInPlace) {
  const auto x = random_matrix<float>(5, 33, 1);
  const auto dy = random_matrix<float>(5, 33, 2);
  Tensor<float, 2> y({5, 33});
  Tensor<float, 2> dx({5, 33});
  ops::activation_forward<float>(Activation::gelu, x, y);
  ops::activation_backward<float>(Activation::gelu, x, dy, dx);
  auto x_in_place = x;
  auto dy_in_place = dy;
  ops::activation_forward<float>(Activation::gelu, x_in_place, x_in_place);
  ops::activation_backward<float>(Activation::gelu, x, dy_in_place, dy_in_place);
  EXPECT_TRUE(test::same_bits(x_in_place, y));
  EXPECT_TRUE(test::same_bits(dy_in_place, dx));
}

TEST(Activation, IsTameFarFromZero) {
  test::for_each_level([](simd::Level) {
    for (const Activation kind : kinds) {
      if (kind == Activation::identity) continue;
      Tensor<float, 2> x({1, 6});
      const float inputs[] = {-1e4F, -100.0F, -25.0F, 25.0F, 100.0F, 1e4F};
      std::copy_n(inputs, 6, x.data());
      Tensor<float, 2> ones({1, 6});
      ones.fill(1.0F);
      Tensor<float, 2> y({1, 6});
      Tensor<float, 2> dx({1, 6});
      ops::activation_forward<float>(kind, x, y);
      ops::activation_backward<float>(kind, x, ones, dx);
      for (Index c = 0; c < 3; ++c) {
        EXPECT_NEAR(y(0, c), 0.0F, 1e-9F);
        EXPECT_NEAR(dx(0, c), 0.0F, 1e-9F);
        EXPECT_EQ(y(0, c + 3), x(0, c + 3));
        EXPECT_NEAR(dx(0, c + 3), 1.0F, 1e-6F);
      }
    }
  });
}

TEST(Activation, RefusesDifferentShapes) {
  Tensor<float, 2> x({3, 4});
  Tensor<float, 2> y({4, 3});
  EXPECT_THROW(ops::activation_forward<float>(Activation::gelu, x, y), std::invalid_argument);
  EXPECT_THROW(ops::activation_backward<float>(Activation::gelu, x, x, y), std::invalid_argument);
  EXPECT_THROW(ops::activation_backward<float>(Activation::gelu, x, y, x), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
