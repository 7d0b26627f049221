#include "couplet/ops/batch_norm.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/guarded_matrix.hpp"

namespace couplet {
namespace {

using test::random_matrix;

constexpr double eps = 1e-3;

struct Case {
  Tensor<double, 2> x = random_matrix<double>(7, 5, 1, 2.0);
  Tensor<double, 2> dy = random_matrix<double>(7, 5, 2);
  Tensor<double, 1> gamma = test::random_tensor<double, 1>({5}, 3);
  Tensor<double, 1> beta = test::random_tensor<double, 1>({5}, 4);
  Tensor<double, 1> mean{{5}}, variance{{5}};
  Workspace workspace;

  Tensor<double, 2> forward() {
    Tensor<double, 2> y({7, 5});
    ops::batch_norm_forward<double>(x, mean, variance, eps, gamma, beta, y, workspace);
    return y;
  }
};

TEST(BatchNorm, TakesMeanAndBiasedVariance) {
  Tensor<double, 2> x({4, 1});
  const double values[] = {1, 2, 3, 6};
  std::copy_n(values, 4, x.data());
  Tensor<double, 1> mean({1}), variance({1});
  ops::batch_norm_statistics<double>(x, mean, variance);
  EXPECT_DOUBLE_EQ(mean[0], 3.0);
  EXPECT_DOUBLE_EQ(variance[0], 3.5);
}

TEST(BatchNorm, NormalisesEveryColumn) {
  Case c;
  ops::batch_norm_statistics<double>(c.x, c.mean, c.variance);
  const Tensor<double, 2> y = c.forward();
  for (Index r = 0; r < 7; ++r) {
    for (Index k = 0; k < 5; ++k) {
      const double xhat = (c.x(r, k) - c.mean[k]) / std::sqrt(c.variance[k] + eps);
      EXPECT_NEAR(y(r, k), xhat * c.gamma[k] + c.beta[k], 1e-14);
    }
  }
}

TEST(BatchNorm, HasTrueGradientsWithBatchAndFrozenStatistics) {
  for (const bool frozen : {false, true}) {
    Case c;
    ops::batch_norm_statistics<double>(c.x, c.mean, c.variance);
    Tensor<double, 2> dx({7, 5});
    Tensor<double, 1> dgamma({5}), dbeta({5});
    dgamma.fill(0);
    dbeta.fill(0);
    ops::batch_norm_backward<double>(c.dy, c.x, c.mean, c.variance, eps, c.gamma, frozen, dx, dgamma, dbeta,
                                     c.workspace);
    const auto loss = [&] {
      if (!frozen) ops::batch_norm_statistics<double>(c.x, c.mean, c.variance);
      return test::inner_product(test::elements(c.dy), test::elements(c.forward()));
    };
    EXPECT_TRUE(test::check_gradient(loss, test::elements(c.gamma), test::elements(dgamma)));
    EXPECT_TRUE(test::check_gradient(loss, test::elements(c.beta), test::elements(dbeta)));
    EXPECT_TRUE(test::check_gradient(loss, test::elements(c.x), test::elements(dx)));
    // In place, without parameter gradients; and gradients add up. The difference quotients moved the statistics.
    ops::batch_norm_statistics<double>(c.x, c.mean, c.variance);
    dgamma.fill(0);
    ops::batch_norm_backward<double>(c.dy, c.x, c.mean, c.variance, eps, c.gamma, frozen, dx, dgamma, dbeta,
                                     c.workspace);
    Tensor<double, 2> in_place = c.dy;
    ops::batch_norm_backward<double>(in_place, c.x, c.mean, c.variance, eps, c.gamma, frozen, in_place, {}, {},
                                     c.workspace);
    EXPECT_TRUE(test::same_bits(in_place, dx));
    const Tensor<double, 1> once = dgamma;
    ops::batch_norm_backward<double>(c.dy, c.x, c.mean, c.variance, eps, c.gamma, frozen, dx, dgamma, dbeta,
                                     c.workspace);
    for (Index k = 0; k < 5; ++k) EXPECT_NEAR(dgamma[k], 2 * once[k], 1e-12);
  }
}

TEST(BatchNorm, IsAccurateFarFromZeroAndTheSameOnAnyNumberOfThreads) {
  const Index rows = 3000, columns = 130;
  auto x = random_matrix<double>(rows, columns, 1);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += 100;
  const auto x_float = test::converted<float>(x);
  x = test::converted<double>(x_float);
  Tensor<double, 1> mean({columns}), variance({columns});
  ops::batch_norm_statistics<double>(x, mean, variance);
  Tensor<float, 1> mean_float({columns}), variance_float({columns}), mean_serial({columns}), variance_serial({columns});
  ops::batch_norm_statistics<float>(x_float, mean_float, variance_float);
  EXPECT_TRUE(test::near_relative_to_max(mean_float, mean, 1e-6));
  EXPECT_TRUE(test::near_relative_to_max(variance_float, variance, 1e-6));
  const ThreadLimit serial(1);
  ops::batch_norm_statistics<float>(x_float, mean_serial, variance_serial);
  EXPECT_TRUE(test::same_bits(mean_serial, mean_float));
  EXPECT_TRUE(test::same_bits(variance_serial, variance_float));
}

TEST(BatchNorm, RefusesShapesThatDoNotFit) {
  Case c;
  Tensor<double, 2> narrow({7, 4}), none({0, 5});
  Tensor<double, 1> four({4});
  EXPECT_THROW(ops::batch_norm_statistics<double>(narrow, c.mean, c.variance), std::invalid_argument);
  EXPECT_THROW(ops::batch_norm_statistics<double>(none, c.mean, c.variance), std::invalid_argument);
  EXPECT_THROW(ops::batch_norm_forward<double>(c.x, c.mean, c.variance, eps, c.gamma, c.beta, narrow, c.workspace),
               std::invalid_argument);
  EXPECT_THROW(ops::batch_norm_forward<double>(c.x, c.mean, c.variance, eps, four, c.beta, c.x, c.workspace),
               std::invalid_argument);
}

}  // namespace
}  // namespace couplet
