#include "couplet/eval/classification.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace couplet::eval {
namespace {

TEST(RankOf, CountsLargerElementsAndEarlierEqualOnes) {
  const float row[] = {3, 5, 1, 5, 2};
  EXPECT_EQ(rank_of(row, 5, 1), 0);
  EXPECT_EQ(rank_of(row, 5, 3), 1);
  EXPECT_EQ(rank_of(row, 5, 0), 2);
  EXPECT_EQ(rank_of(row, 5, 2), 4);
}

TEST(RankOf, NeverFavoursWhatIsNotANumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double row[] = {1, nan, 0};
  EXPECT_EQ(rank_of(row, 3, 1), 2);
  EXPECT_EQ(rank_of(row, 3, 0), 1);
}

TEST(TopKAccuracy, AddsUpBatches) {
  Tensor<float, 2> logits({2, 7});
  for (Index c = 0; c < 7; ++c) logits(0, c) = logits(1, c) = static_cast<float>(c);
  TopKAccuracy accuracy;
  EXPECT_EQ(accuracy.top1(), 0);
  const std::vector<std::int64_t> first{6, 2}, second{1, 6};
  accuracy.add(logits.view(), first);   // ranks 0, 4
  accuracy.add(logits.view(), second);  // ranks 5, 0
  EXPECT_EQ(accuracy.count(), 4);
  EXPECT_EQ(accuracy.top1(), 0.5);
  EXPECT_EQ(accuracy.top5(), 0.75);
}

TEST(TopKAccuracy, RefusesLabelsThatDoNotFit) {
  const Tensor<float, 2> logits({2, 7});
  TopKAccuracy accuracy;
  EXPECT_THROW(accuracy.add(logits.view(), std::vector<std::int64_t>{1}), std::invalid_argument);
  EXPECT_THROW(accuracy.add(logits.view(), std::vector<std::int64_t>{1, 7}), std::invalid_argument);
  EXPECT_THROW(accuracy.add(logits.view(), std::vector<std::int64_t>{-1, 1}), std::invalid_argument);
  EXPECT_EQ(accuracy.count(), 0);
}

}  // namespace
}  // namespace couplet::eval
