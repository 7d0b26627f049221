#include "couplet/core/share.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;

TEST(Share, PartsCoverEverythingOnceAndDifferByOne) {
  for (const Index n : {0, 1, 7, 12, 1000003}) {
    for (const Index parts : {1, 2, 3, 11}) {
      Index end = 0;
      for (Index part = 0; part < parts; ++part) {
        const Share share = share_of(n, part, parts);
        EXPECT_EQ(share.begin, end);
        EXPECT_GE(share.size(), n / parts);
        EXPECT_LE(share.size(), n / parts + 1);
        end = share.end;
      }
      EXPECT_EQ(end, n);
    }
  }
}

TEST(Share, RefusesPartsThatDoNotExist) {
  EXPECT_THROW((void)share_of(10, 3, 3), std::invalid_argument);
  EXPECT_THROW((void)share_of(10, -1, 3), std::invalid_argument);
  EXPECT_THROW((void)share_of(10, 0, 0), std::invalid_argument);
  EXPECT_THROW((void)share_of(-1, 0, 1), std::invalid_argument);
}

}  // namespace
