#include "couplet/data/epoch_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace couplet::data {
namespace {

TEST(EpochOrder, IsAPermutation) {
  std::vector<Index> order = epoch_order(1000, 1, 2);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (Index i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(epoch_order(0, 1, 2).empty());
  EXPECT_EQ(epoch_order(1, 1, 2), std::vector<Index>{0});
}

TEST(EpochOrder, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(epoch_order(100, 1, 2), epoch_order(100, 1, 2));
  EXPECT_NE(epoch_order(100, 1, 2), epoch_order(100, 1, 3));
  EXPECT_NE(epoch_order(100, 1, 2), epoch_order(100, 2, 2));
  EXPECT_EQ(epoch_order(5, 7, 1), (std::vector<Index>{4, 0, 2, 3, 1}));
}

TEST(EpochOrder, AllPermutationsAreEquallyLikely) {
  std::map<std::vector<Index>, int> counts;
  for (std::uint64_t epoch = 0; epoch < 6000; ++epoch) ++counts[epoch_order(3, 1, epoch)];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 120);
}

}  // namespace
}  // namespace couplet::data
