#include "couplet/image/image.hpp"

#include <gtest/gtest.h>

namespace couplet::image {
namespace {

TEST(Image, RefusesBuffersOfAnotherSize) {
  EXPECT_NO_THROW(check_image("op", Image{2, 3, std::vector<std::uint8_t>(18)}));
  EXPECT_THROW(check_image("op", Image{2, 3, std::vector<std::uint8_t>(17)}), std::invalid_argument);
  EXPECT_THROW(check_image("op", Image{0, 3, {}}), std::invalid_argument);
  EXPECT_THROW(checked_bytes("op", 1 << 20, 1 << 20, 3), std::invalid_argument);
  EXPECT_EQ(checked_bytes("op", 2, 5, 4), 40u);
}

TEST(Image, MultiplyRoundsToTheNearest) {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) EXPECT_EQ(multiply_255(a, b), (2 * a * b + 255) / 510) << a << " " << b;
}

TEST(Image, OnWhiteIsExactAtTheEndsAndNearInBetween) {
  for (int alpha = 0; alpha < 256; ++alpha)
    for (int value = 0; value < 256; value += 5) {
      const auto v = static_cast<std::uint8_t>(value);
      const Image out = on_white({1, 1, {v, v, v}, {static_cast<std::uint8_t>(alpha)}});
      EXPECT_TRUE(out.alpha.empty());
      EXPECT_NEAR(out.pixels[0], (value * alpha + 255.0 * (255 - alpha)) / 255.0, 0.51);
      if (alpha == 0 || alpha == 255) {
        EXPECT_EQ(out.pixels[0], alpha == 0 ? 255 : value);
      }
    }
}

}  // namespace
}  // namespace couplet::image
