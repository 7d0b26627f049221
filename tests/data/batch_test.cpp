#include "couplet/data/batch.hpp"

#include <gtest/gtest.h>

namespace couplet::data {
namespace {

TEST(Batch, CountsItsSamples) {
  Batch batch;
  EXPECT_EQ(batch.size(), 0);
  batch.indices = {3, 1};
  EXPECT_EQ(batch.size(), 2);
}

TEST(LoaderPosition, IsOrderedByEpochFirst) {
  EXPECT_LT((LoaderPosition{0, 9}), (LoaderPosition{1, 0}));
  EXPECT_LT((LoaderPosition{1, 0}), (LoaderPosition{1, 1}));
  EXPECT_EQ((LoaderPosition{1, 1}), (LoaderPosition{1, 1}));
}

}  // namespace
}  // namespace couplet::data
