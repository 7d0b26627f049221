#include "couplet/image/guard.hpp"

#include <gtest/gtest.h>

#include "support/file_errors.hpp"

namespace couplet::image {
namespace {

constexpr std::uint8_t data[] = {0x12, 0x34, 0x56, 0x78, 'a', 'b'};

TEST(Guard, ReadsBigEndianNumbersAndNames) {
  EXPECT_EQ(big16(data, 1), 0x3456u);
  EXPECT_EQ(big32(data, 0), 0x12345678u);
  EXPECT_TRUE(holds(data, 4, "ab"));
  EXPECT_FALSE(holds(data, 5, "ab"));
  EXPECT_FALSE(holds(data, 7, ""));
}

TEST(Guard, KeepsLimits) {
  const auto refusal = [](std::uint32_t width, std::uint32_t height, const DecodeLimits& limits) {
    return test::file_error_of([&] { check_limits(width, height, limits, "f"); });
  };
  EXPECT_EQ(refusal(16384, 2441, {}), "");
  EXPECT_NE(refusal(16384, 2442, {}), "");
  EXPECT_NE(refusal(16385, 1, {}), "");
  EXPECT_NE(refusal(0, 1, {}), "");
  EXPECT_NE(refusal(~0u, ~0u, {.side = 1 << 20, .pixels = std::int64_t{1} << 62}), "");
  EXPECT_NE(refusal(1, 1, {.side = -5}), "");
}

}  // namespace
}  // namespace couplet::image
