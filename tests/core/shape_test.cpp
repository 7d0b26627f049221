#include "couplet/core/shape.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace {

using couplet::Index;
using couplet::Shape;

TEST(Shape, PrintsAsPythonDoes) {
  EXPECT_EQ(to_string(Shape{2, 12, 50, 64}), "(2, 12, 50, 64)");
  EXPECT_EQ(to_string(Shape{}), "()");
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape({2, 3, 4}).size(), 24);
  EXPECT_EQ(Shape({}).size(), 1);
  EXPECT_EQ(Shape({5, 0, 7}).size(), 0);
}

TEST(Shape, ComparesRankAndExtents) {
  EXPECT_TRUE(Shape({1, 2}) == Shape({1, 2}));
  EXPECT_FALSE(Shape({1, 2}) == Shape({2, 1}));
  EXPECT_FALSE(Shape({1, 2}) == Shape({1, 2, 1}));
}

TEST(Shape, RefusesNegativeExtentsAndTooManyDimensions) {
  EXPECT_THROW(Shape({2, -1}), std::invalid_argument);
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), std::invalid_argument);
}

TEST(Shape, RefusesProductsThatOverflow) {
  EXPECT_THROW((void)Shape({Index{1} << 32, Index{1} << 32}).size(), std::invalid_argument);
  EXPECT_THROW((void)couplet::checked_multiply(std::numeric_limits<Index>::max(), 2), std::invalid_argument);
}

}  // namespace
