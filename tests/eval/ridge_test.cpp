#include "couplet/eval/ridge.hpp"

#include <gtest/gtest.h>

#include "support/random_tensor.hpp"

namespace couplet::eval {
namespace {

EigenMatrix<double> ridge_matrix(Index rows, Index columns, std::uint64_t seed) {
  return as_eigen(test::random_matrix<double>(rows, columns, seed, 1, 0.5).view());
}

// At the minimum of  |Y - X W - b|^2 / N + l2 |W|^2  the gradients for W and b vanish.
TEST(RidgeRegression, StandsAtTheMinimumWhereverTheRowsAreCut) {
  const EigenMatrix<double> x = ridge_matrix(50, 7, 1), y = ridge_matrix(50, 4, 2);
  const double l2 = 0.02;
  for (const Index cut : {1, 20, 49}) {
    RidgeRegression ridge(7, 4);
    ridge.add(x.topRows(cut), y.topRows(cut));
    ridge.add(x.bottomRows(50 - cut), y.bottomRows(50 - cut));
    ridge.solve(l2);
    const EigenMatrix<double> bias = ridge.predict(EigenMatrix<double>::Zero(7, 7));
    const EigenMatrix<double> weight = ridge.predict(EigenMatrix<double>::Identity(7, 7)) - bias;
    const EigenMatrix<double> residual = ridge.predict(x) - y;
    EXPECT_LT((x.transpose() * residual / 50 + l2 * weight).norm(), 1e-12) << cut;
    EXPECT_LT(residual.colwise().sum().norm(), 1e-12) << cut;
  }
}

TEST(RidgeRegression, KeepsItsDigitsFarFromZero) {
  const EigenMatrix<double> x = ridge_matrix(50, 5, 3), y = ridge_matrix(50, 2, 4);
  const EigenMatrix<double> far = x.array() + 1e6;
  RidgeRegression here(5, 2), there(5, 2);
  here.add(x, y), there.add(far, y);
  here.solve(0.01), there.solve(0.01);
  EXPECT_LT((here.predict(x) - there.predict(far)).norm(), 1e-8);
}

TEST(RidgeRegression, RefusesOtherShapesAndNoRows) {
  RidgeRegression ridge(3, 2);
  EXPECT_THROW(ridge.solve(0.1), std::invalid_argument);
  EXPECT_THROW(ridge.add(ridge_matrix(4, 2, 5), ridge_matrix(4, 2, 6)), std::invalid_argument);
  EXPECT_THROW(ridge.add(ridge_matrix(4, 3, 5), ridge_matrix(5, 2, 6)), std::invalid_argument);
  ridge.add(ridge_matrix(4, 3, 5), ridge_matrix(4, 2, 6));
  EXPECT_THROW(ridge.solve(0), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::eval
