#include "couplet/losses/contrastive_tiles.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet::losses::detail {
namespace {

constexpr Index rows = 9, columns = 37;
constexpr double scale = 11;

/// A tile inside a wider matrix, so that the stride is not the number of columns.
template <class T>
struct Tile {
  Tensor<T, 2> memory = test::random_matrix<T>(rows, columns + 5, 1, 0.4);
  TensorView<T, 2> s = memory.view().columns(2, 2 + columns);
};

/// Dense copies of the vectors that a tile function fills.
template <class T>
struct Statistics {
  Tensor<T, 1> row_maximum{{rows}}, row_sum{{rows}}, column_maximum{{columns}}, column_sum{{columns}};

  explicit Statistics(TensorView<const T, 2> s) {
    row_statistics<T>(s, T(scale), row_maximum.data(), row_sum.data());
    column_statistics<T>(s, T(scale), column_maximum.data(), column_sum.data());
  }
};

TEST(ContrastiveTiles, TakeStatisticsOfRowsAndColumns) {
  const Tile<double> tile;
  const Statistics<double> found(tile.s);
  for (Index r = 0; r < rows; ++r) {
    double sum = 0;
    for (Index c = 0; c < columns; ++c) sum += std::exp(scale * tile.s(r, c));
    EXPECT_NEAR(found.row_maximum[r] + std::log(found.row_sum[r]), std::log(sum), 1e-13);
  }
  for (Index c = 0; c < columns; ++c) {
    double sum = 0;
    for (Index r = 0; r < rows; ++r) sum += std::exp(scale * tile.s(r, c));
    EXPECT_NEAR(found.column_maximum[c] + std::log(found.column_sum[c]), std::log(sum), 1e-13);
  }
}

TEST(ContrastiveTiles, StatisticsOfTheKernelsEqualTheReference) {
  const Tile<double> reference;
  const Statistics<double> expected(reference.s);
  test::for_each_level([&](simd::Level) {
    const Tile<float> tile;
    const Statistics<float> found(tile.s);
    EXPECT_TRUE(test::near_relative_to_max(found.row_maximum, expected.row_maximum, 1e-6));
    EXPECT_TRUE(test::near_relative_to_max(found.row_sum, expected.row_sum, 3e-6));
    EXPECT_TRUE(test::near_relative_to_max(found.column_maximum, expected.column_maximum, 1e-6));
    EXPECT_TRUE(test::near_relative_to_max(found.column_sum, expected.column_sum, 3e-6));
  });
}

template <class T>
double info_nce(const Tile<T>& tile) {
  const Statistics<T> statistics(tile.s);
  Tensor<T, 1> row_weight({rows}), column_weight({columns});
  for (Index r = 0; r < rows; ++r) row_weight[r] = T(0.25) / statistics.row_sum[r];
  for (Index c = 0; c < columns; ++c) column_weight[c] = T(0.25) / statistics.column_sum[c];
  return info_nce_gradient<T>(tile.s, T(scale), {statistics.row_maximum.data(), row_weight.data()},
                              {statistics.column_maximum.data(), column_weight.data()});
}

TEST(ContrastiveTiles, InfoNceGradientIsTheSumOfBothSoftmaxes) {
  const Tile<double> before;
  const Tile<double> after;
  const double sum = info_nce(after);
  double expected_sum = 0;
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) {
      double row = 0, column = 0;
      for (Index j = 0; j < columns; ++j) row += std::exp(scale * (before.s(r, j) - before.s(r, c)));
      for (Index i = 0; i < rows; ++i) column += std::exp(scale * (before.s(i, c) - before.s(r, c)));
      EXPECT_NEAR(after.s(r, c), 0.25 / row + 0.25 / column, 1e-14);
      expected_sum += after.s(r, c) * before.s(r, c);
    }
  }
  EXPECT_NEAR(sum, expected_sum, 1e-12);
}

TEST(ContrastiveTiles, SigmoidGradientAndSumsAreTheFormulas) {
  const Tile<double> before;
  const Tile<double> after;
  const simd::SigmoidSums sums = sigmoid_gradient<double>(after.s, scale, -3, 0.5);
  double loss = 0, gradient = 0, gradient_s = 0;
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) {
      const double l = scale * before.s(r, c) - 3;
      EXPECT_NEAR(after.s(r, c), 0.5 / (1 + std::exp(-l)), 1e-15);
      loss += std::log(1 + std::exp(l));
      gradient += after.s(r, c);
      gradient_s += after.s(r, c) * before.s(r, c);
    }
  }
  EXPECT_NEAR(sums.loss, loss, 1e-11);
  EXPECT_NEAR(sums.gradient, gradient, 1e-12);
  EXPECT_NEAR(sums.gradient_s, gradient_s, 1e-12);
}

TEST(ContrastiveTiles, GradientsOfTheKernelsEqualTheReference) {
  const Tile<double> info_nce_reference, sigmoid_reference;
  const double info_nce_sum = info_nce(info_nce_reference);
  const auto sums = sigmoid_gradient<double>(sigmoid_reference.s, scale, -3, 0.5);
  test::for_each_level([&](simd::Level) {
    const Tile<float> info_nce_tile, sigmoid_tile;
    EXPECT_NEAR(info_nce(info_nce_tile), info_nce_sum, 1e-5);
    EXPECT_TRUE(test::near_relative_to_max(info_nce_tile.memory, info_nce_reference.memory, 3e-6));
    const auto found = sigmoid_gradient<float>(sigmoid_tile.s, scale, -3, 0.5F);
    EXPECT_NEAR(found.loss, sums.loss, 1e-6 * sums.loss);
    EXPECT_NEAR(found.gradient, sums.gradient, 1e-6 * sums.gradient);
    EXPECT_NEAR(found.gradient_s, sums.gradient_s, 1e-5);
    EXPECT_TRUE(test::near_relative_to_max(sigmoid_tile.memory, sigmoid_reference.memory, 1e-6));
  });
}

TEST(ContrastiveTiles, SoftplusAndSigmoidDoNotOverflow) {
  EXPECT_EQ(softplus(1000.0), 1000);
  EXPECT_EQ(softplus(-1000.0), 0);
  EXPECT_NEAR(softplus(-50.0) / std::exp(-50.0), 1, 1e-15);
  EXPECT_EQ(sigmoid(1000.0), 1);
  EXPECT_EQ(sigmoid(-1000.0), 0);
  EXPECT_NEAR(sigmoid(-50.0) / std::exp(-50.0), 1, 1e-15);
  EXPECT_EQ(sigmoid(0.0), 0.5);
}

}  // namespace
}  // namespace couplet::losses::detail
