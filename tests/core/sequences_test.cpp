#include "couplet/core/sequences.hpp"

#include <gtest/gtest.h>

#include <array>

namespace {

using couplet::Index;
using couplet::Sequences;

TEST(Sequences, KnowTheirRows) {
  const std::array<Index, 4> offsets{0, 3, 3, 8};
  const Sequences sequences(offsets);
  EXPECT_EQ(sequences.count(), 3);
  EXPECT_EQ(sequences.rows(), 8);
  EXPECT_EQ(sequences.length(1), 0);
  EXPECT_EQ(sequences.begin(2), 3);
  EXPECT_EQ(sequences.end(2), 8);
  EXPECT_EQ(Sequences().count(), 0);
}

TEST(Sequences, RefuseOffsetsThatDoNotBeginWithZeroOrDecrease) {
  const std::array<Index, 2> late{1, 3};
  const std::array<Index, 3> falling{0, 3, 2};
  EXPECT_THROW(Sequences{late}, std::invalid_argument);
  EXPECT_THROW(Sequences{falling}, std::invalid_argument);
}

TEST(Sequences, HaveKeysInAllRowsOrUpToTheirKeyEnds) {
  const std::array<Index, 3> offsets{0, 3, 5};
  const std::array<Index, 2> key_ends{2, 5}, outside{2, 2};
  const std::array<Index, 1> few{2};
  EXPECT_EQ(Sequences(offsets).key_end(0), 3);
  EXPECT_FALSE(Sequences(offsets).has_key_ends());
  EXPECT_EQ(Sequences(offsets, key_ends).key_end(0), 2);
  EXPECT_EQ(Sequences(offsets, key_ends).key_end(1), 5);
  EXPECT_THROW(Sequences(offsets, outside), std::invalid_argument);
  EXPECT_THROW(Sequences(offsets, few), std::invalid_argument);
}

}  // namespace
