#include "couplet/data/patch_dropout.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace couplet::data {
namespace {

std::vector<Index> drawn(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample) {
  const PatchDropout dropout{0.75};
  std::vector<Index> seen(static_cast<std::size_t>(dropout.kept(16)));
  dropout.draw(seed, epoch, sample, 16, seen);
  return seen;
}

TEST(PatchDropout, KeepsOpenClipsNumbers) {
  EXPECT_EQ(PatchDropout{0.5}.kept(49), 24);
  EXPECT_EQ(PatchDropout{0.75}.kept(16), 4);
  EXPECT_EQ(PatchDropout{0.99}.kept(16), 1);  // at least one
  EXPECT_EQ(PatchDropout{0}.kept(16), 16);
}

TEST(PatchDropout, DrawsOtherPatchesForEverySeedEpochAndSample) {
  EXPECT_EQ(drawn(1, 2, 3), drawn(1, 2, 3));
  EXPECT_NE(drawn(1, 2, 3), drawn(2, 2, 3));
  EXPECT_NE(drawn(1, 2, 3), drawn(1, 3, 3));
  EXPECT_NE(drawn(1, 2, 3), drawn(1, 2, 4));
}

TEST(PatchDropout, DrawsEveryPatchEquallyOften) {
  std::vector<int> count(16);
  for (std::uint64_t sample = 0; sample < 4000; ++sample) {
    const std::vector<Index> seen = drawn(7, 0, sample);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (i > 0) {
        EXPECT_LT(seen[i - 1], seen[i]);  // ascending, none twice
      }
      ++count[static_cast<std::size_t>(seen[i])];
    }
  }
  for (const int n : count) EXPECT_NEAR(n, 1000, 140);  // five standard deviations
}

TEST(PatchDropout, RefusesRatesThatLeaveNothing) {
  EXPECT_THROW(PatchDropout{1.0}.validate(), std::invalid_argument);
  EXPECT_THROW(PatchDropout{-0.1}.validate(), std::invalid_argument);
  EXPECT_NO_THROW(PatchDropout{0.99}.validate());
}

}  // namespace
}  // namespace couplet::data
