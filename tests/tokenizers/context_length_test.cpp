#include "couplet/tokenizers/context_length.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using namespace couplet::tokenizers;

TEST(ContextLength, HasRoomForTwoIdsAndALimit) {
  EXPECT_EQ(checked_context_length(2), 2);
  EXPECT_EQ(checked_context_length(max_context_length), max_context_length);
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, max_context_length + 1}) {
    EXPECT_THROW(static_cast<void>(checked_context_length(bad)), std::invalid_argument) << bad;
  }
}

TEST(ContextLength, RowsNeedRoomForTwoIds) {
  EXPECT_EQ(checked_room(2), 2U);
  EXPECT_EQ(checked_room(no_limit), no_limit);
  EXPECT_THROW(static_cast<void>(checked_room(1)), std::invalid_argument);
}

}  // namespace
