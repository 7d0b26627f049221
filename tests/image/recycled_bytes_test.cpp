#include "couplet/image/recycled_bytes.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet::image;

TEST(RecycledBytes, GivesTheSmallestBufferThatSuits) {
  RecycledBytes recycled;
  std::vector<std::uint8_t> small(1000), large(5000);
  const std::uint8_t* const small_memory = small.data();
  const std::uint8_t* const large_memory = large.data();
  recycled.give(std::move(large));
  recycled.give(std::move(small));
  EXPECT_EQ(recycled.take(200).capacity(), 200U);  // the others have more than four times as many
  const auto first = recycled.take(900), second = recycled.take(1300), third = recycled.take(1300);
  EXPECT_EQ(first.data(), small_memory);
  EXPECT_EQ(second.data(), large_memory);
  EXPECT_EQ(first.size(), 900U);
  EXPECT_EQ(second.size(), 1300U);
  EXPECT_EQ(third.capacity(), 1300U);
}

TEST(RecycledBytes, KeepsTheLastBuffersWithinItsLimit) {
  RecycledBytes recycled;
  for (std::size_t size = 1; size <= 6; ++size) recycled.give(std::vector<std::uint8_t>(1000 * size));
  for (std::size_t size = 3; size <= 6; ++size) EXPECT_EQ(recycled.take(1000 * size - 999).capacity(), 1000 * size);
  EXPECT_EQ(recycled.take(3000).capacity(), 3000U);  // nothing is left
  const std::size_t half = RecycledBytes::most_bytes / 2;
  recycled.give(std::vector<std::uint8_t>(2 * half + 1));
  EXPECT_EQ(recycled.take(half).capacity(), half);
  recycled.give(std::vector<std::uint8_t>(half + 2));
  recycled.give(std::vector<std::uint8_t>(half + 1));
  EXPECT_EQ(recycled.take(half).capacity(), half + 2);
  EXPECT_EQ(recycled.take(half).capacity(), half);
}

}  // namespace
