#include "couplet/core/bfloat16.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using couplet::bfloat16;

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(static_cast<float>(bfloat16(1.0F)), 1.0F);
  EXPECT_EQ(static_cast<float>(bfloat16(1.0F + 0x1p-8F)), 1.0F);                // a tie: down to even
  EXPECT_EQ(static_cast<float>(bfloat16(1.0F + 3 * 0x1p-8F)), 1.0F + 0x1p-6F);  // a tie: up to even
  EXPECT_EQ(static_cast<float>(bfloat16(1.0F + 0x1.8p-8F)), 1.0F + 0x1p-7F);
}

TEST(Bfloat16, KeepsInfinitiesSignsAndNaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(static_cast<float>(bfloat16(-infinity)), -infinity);
  EXPECT_EQ(static_cast<float>(bfloat16(std::numeric_limits<float>::max())), infinity);
  EXPECT_TRUE(std::signbit(static_cast<float>(bfloat16(-0.0F))));
  EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16(std::bit_cast<float>(0x7f800001U)))));
}

TEST(Bfloat16, EveryValueSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto value = std::bit_cast<bfloat16>(static_cast<std::uint16_t>(bits));
    const auto wide = static_cast<float>(value);
    if (std::isnan(wide)) continue;
    EXPECT_EQ(bfloat16(wide).bits, bits);
  }
}

}  // namespace
