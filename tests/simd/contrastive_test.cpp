#include "couplet/simd/contrastive.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_near.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet {
namespace {

using test::GuardedMatrix;
using test::near_relative_to_max;

constexpr float scale = 14.25F;
constexpr float logit_bias = -9.5F;
constexpr float pair_weight = 1.0F / 64;

/// Similarities of rows x columns in about [-0.6, 0.6].
Tensor<double, 2> similarities(Index rows, Index columns) { return test::random_matrix<double>(rows, columns, 1, 0.2); }

Tensor<float, 1> filled(Index n, float value) {
  Tensor<float, 1> tensor({n});
  tensor.fill(value);
  return tensor;
}

/// Sizes 1 .. 67 in both directions, and the diagonals that a tile can meet.
template <class F>
void for_each_tile(F&& f) {
  test::for_each_level([&](simd::Level) {
    for (Index n = 1; n <= 67; ++n) {
      for (const Index diagonal : {Index{-3}, Index{0}, n - 1}) f(Index{7}, n, diagonal);
      f(n, Index{33}, Index{2});
    }
  });
}

TEST(Contrastive, AddsUpRowsAndColumnsOverTiles) {
  test::for_each_level([](simd::Level) {
    const Index n = 67;
    const auto s = similarities(n, n);
    const GuardedMatrix<float> matrix(n, n, s);
    const auto view = matrix.view();
    auto row_maximum = filled(n, -INFINITY);
    auto column_maximum = filled(n, -INFINITY);
    auto row_sum = filled(n, 0.0F);
    auto column_sum = filled(n, 0.0F);
    for (const auto& [top, bottom] : {std::pair<Index, Index>{0, 30}, {30, 67}}) {
      for (const auto& [left, right] : {std::pair<Index, Index>{0, 1}, {1, 40}, {40, 67}}) {
        const float* const tile = &view(top, left);
        const auto& kernels = simd::contrastive_kernels();
        kernels.row_statistics(tile, view.stride(0), bottom - top, right - left, scale, row_maximum.data() + top,
                               row_sum.data() + top);
        kernels.column_statistics(tile, view.stride(0), bottom - top, right - left, scale, column_maximum.data() + left,
                                  column_sum.data() + left);
      }
    }
    for (Index i = 0; i < n; ++i) {
      double along_row = 0;
      double along_column = 0;
      for (Index j = 0; j < n; ++j) {
        along_row += std::exp(static_cast<double>(scale) * s(i, j));
        along_column += std::exp(static_cast<double>(scale) * s(j, i));
      }
      EXPECT_NEAR(static_cast<double>(row_maximum[i]) + std::log(static_cast<double>(row_sum[i])), std::log(along_row),
                  2e-6);
      EXPECT_NEAR(static_cast<double>(column_maximum[i]) + std::log(static_cast<double>(column_sum[i])),
                  std::log(along_column), 2e-6);
    }
  });
}

TEST(Contrastive, HasTheGradientOfInfoNce) {
  for_each_tile([](Index rows, Index columns, Index diagonal) {
    const auto s = similarities(rows, columns);
    const auto row_maximum = test::random_vector<float>(rows, 2, 0.5, 10.0);
    const auto column_maximum = test::random_vector<float>(columns, 3, 0.5, 10.0);
    const auto row_weight = test::random_vector<float>(rows, 4, 0.001, 0.01);
    const auto column_weight = test::random_vector<float>(columns, 5, 0.001, 0.01);
    Tensor<double, 2> expected({rows, columns});
    double expected_sum = 0;
    double magnitude = 0;
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) {
        const double l = static_cast<double>(scale) * s(r, c);
        double g = static_cast<double>(row_weight[r]) * std::exp(l - static_cast<double>(row_maximum[r])) +
                   static_cast<double>(column_weight[c]) * std::exp(l - static_cast<double>(column_maximum[c]));
        if (c == diagonal + r) g -= 2 * static_cast<double>(pair_weight);
        expected(r, c) = g;
        expected_sum += g * s(r, c);
        magnitude += std::abs(g * s(r, c));
      }
    }
    GuardedMatrix<float> tile(rows, columns, s);
    const auto view = tile.view();
    const double sum = simd::contrastive_kernels().info_nce_gradient(
        view.data(), view.stride(0), rows, columns, scale, row_maximum.data(), row_weight.data(), column_maximum.data(),
        column_weight.data(), pair_weight, diagonal);
    ASSERT_TRUE(near_relative_to_max(tile.values(), expected, 1e-6));
    ASSERT_NEAR(sum, expected_sum, 1e-6 * magnitude);
    ASSERT_TRUE(tile.intact());
  });
}

TEST(Contrastive, HasTheLossAndGradientOfTheSigmoidLoss) {
  for_each_tile([](Index rows, Index columns, Index diagonal) {
    const auto s = similarities(rows, columns);
    Tensor<double, 2> expected({rows, columns});
    simd::SigmoidSums sums;
    double magnitude = 0;
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) {
        const double l = static_cast<double>(scale) * s(r, c) + static_cast<double>(logit_bias);
        const double sign = c == diagonal + r ? 1 : -1;
        expected(r, c) = -sign * static_cast<double>(pair_weight) / (1 + std::exp(sign * l));
        sums.loss += std::log1p(std::exp(-sign * l));
        sums.gradient += expected(r, c);
        sums.gradient_s += expected(r, c) * s(r, c);
        magnitude += std::abs(expected(r, c));
      }
    }
    GuardedMatrix<float> tile(rows, columns, s);
    const auto view = tile.view();
    const auto& kernels = simd::contrastive_kernels();
    const auto actual =
        kernels.sigmoid_gradient(view.data(), view.stride(0), rows, columns, scale, logit_bias, pair_weight, diagonal);
    ASSERT_TRUE(near_relative_to_max(tile.values(), expected, 2e-6));
    ASSERT_NEAR(actual.loss, sums.loss, 2e-6 * sums.loss);
    ASSERT_NEAR(actual.gradient, sums.gradient, 2e-6 * magnitude);
    ASSERT_NEAR(actual.gradient_s, sums.gradient_s, 2e-6 * magnitude);
    ASSERT_TRUE(tile.intact());
  });
}

TEST(Contrastive, KeepsTheTinyLossesOfNegatives) {
  // 4096 pairs at l = -10: each costs 4.5e-5, which 1 + exp(l) in float would round by up to 0.1 %.
  test::for_each_level([](simd::Level) {
    Tensor<float, 2> s({64, 64});
    const auto sums = simd::contrastive_kernels().sigmoid_gradient(s.data(), 64, 64, 64, 1.0F, -10.0F, 1.0F, 64);
    EXPECT_NEAR(sums.loss, 4096 * std::log1p(std::exp(-10.0)), 1e-6 * 4096 * std::exp(-10.0));
  });
}

TEST(Contrastive, SurvivesExtremeLogits) {
  test::for_each_level([](simd::Level) {
    Tensor<float, 2> s({1, 2});
    s(0, 0) = 1.0F;
    s(0, 1) = -1.0F;
    const auto sums = simd::contrastive_kernels().sigmoid_gradient(s.data(), 2, 1, 2, 1000.0F, 0.0F, 1.0F, -5);
    EXPECT_EQ(sums.loss, 1000.0);
    EXPECT_EQ(s(0, 0), 1.0F);
    EXPECT_EQ(s(0, 1), 0.0F);
  });
}

}  // namespace
}  // namespace couplet
