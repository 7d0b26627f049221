#include "couplet/losses/softmax_side.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace couplet::losses::detail {
namespace {

/// Logits in pieces of two, and the true pair's, give the softmax written out.
TEST(SoftmaxSide, MergesPiecesIntoTheWholeSoftmax) {
  const std::vector<double> logits{-3, 2, 700, 699, 5, -800};
  const double pair = 698.5;
  Workspace workspace;
  SoftmaxSide<double> side(1, -1e4, workspace);
  for (std::size_t i = 0; i < logits.size(); i += 2) {
    const double maximum = std::max(logits[i], logits[i + 1]);
    side.merge(0, maximum, std::exp(logits[i] - maximum) + std::exp(logits[i + 1] - maximum));
  }
  double others = 0;
  for (const double l : logits) others += std::exp(l - pair);
  EXPECT_NEAR(side.finish(0, pair, 2.0), std::log1p(others), 1e-12);
  EXPECT_NEAR(side.others(0), others / (1 + others), 1e-15);
  const SoftmaxFactor<double> factor = side.factor(0);
  EXPECT_NEAR(factor.weight * std::exp(699 - factor.maximum), 2 * std::exp(699 - pair) / (1 + others), 1e-14);
  EXPECT_EQ(side.factors(0).maximum[0], factor.maximum);
}

TEST(SoftmaxSide, BeginsAgainWithNothing) {
  Workspace workspace;
  SoftmaxSide<float> side(2, -100, workspace);
  side.merge(1, 3, 2);
  EXPECT_EQ(side.maximum(1), 3);
  EXPECT_EQ(side.sum(1), 2);
  side.begin_again(1, -100);
  EXPECT_EQ(side.maximum(1), -100);
  EXPECT_EQ(side.sum(1), 0);
  side.set_factor(1, {4, 5});
  EXPECT_EQ(side.factor(1).maximum, 4);
  EXPECT_EQ(side.factors(1).weight[0], 5);
}

}  // namespace
}  // namespace couplet::losses::detail
