#include "couplet/data/color_jitter.hpp"

#include <gtest/gtest.h>

namespace couplet::data {
namespace {

image::Image picture(std::vector<std::uint8_t> pixels) {
  image::Image image;
  image.width = static_cast<int>(pixels.size() / 3);
  image.height = 1;
  image.pixels = std::move(pixels);
  return image;
}

TEST(ColorJitter, TurnsHuesAroundTheCircle) {
  const auto turned = [](std::array<double, 3> p, double turn) {
    detail::turn_hue(p.data(), turn);
    for (double& value : p) value = std::round(value);
    return p;
  };
  using Color = std::array<double, 3>;
  EXPECT_EQ(turned({255, 0, 0}, 1.0 / 3), (Color{0, 255, 0}));
  EXPECT_EQ(turned({255, 0, 0}, -1.0 / 3), (Color{0, 0, 255}));
  EXPECT_EQ(turned({255, 0, 0}, 0.5), (Color{0, 255, 255}));
  EXPECT_EQ(turned({200, 100, 50}, 1.0 / 3), (Color{50, 200, 100}));
  EXPECT_EQ(turned({40, 90, 200}, 0), (Color{40, 90, 200}));
  EXPECT_EQ(turned({7, 7, 7}, 0.2), (Color{7, 7, 7}));
}

TEST(ColorJitter, BlendsAsTheFormulasSay) {
  std::vector<double> pixels{100, 200, 50, 10, 20, 30};
  detail::blend(pixels, 1.5, [](const double*) { return 0.0; });  // brightness
  EXPECT_EQ(pixels, (std::vector<double>{150, 255, 75, 15, 30, 45}));
  detail::blend(pixels, 0.5, detail::gray_of);  // saturation
  const double gray = 0.299 * 150 + 0.587 * 255 + 0.114 * 75;
  EXPECT_NEAR(pixels[0], 0.5 * 150 + 0.5 * gray, 1e-12);
  EXPECT_NEAR(pixels[2], 0.5 * 75 + 0.5 * gray, 1e-12);
}

TEST(ColorJitter, DrawsWithinItsRangesAndDependsOnTheDrawsAlone) {
  const image::Image original = picture({100, 100, 100, 80, 80, 80, 60, 60, 60});
  const ColorJitter jitter{.brightness = 0.3};
  int least = 255, most = 0;
  for (std::uint64_t sample = 0; sample < 300; ++sample) {
    image::Image one = original, two = original;
    color_jitter(one, jitter, Random(1, sample));
    color_jitter(two, jitter, Random(1, sample));
    EXPECT_EQ(one, two);
    least = std::min<int>(least, one.pixels[0]);
    most = std::max<int>(most, one.pixels[0]);
  }
  EXPECT_GE(least, 70);
  EXPECT_LE(least, 73);
  EXPECT_GE(most, 127);
  EXPECT_LE(most, 130);
}

TEST(ColorJitter, ProbabilitiesDecideHowOften) {
  const image::Image original = picture({200, 100, 50, 10, 220, 90});
  int changed = 0, gray = 0;
  for (std::uint64_t sample = 0; sample < 1000; ++sample) {
    image::Image one = original;
    color_jitter(one, {.saturation = 0.9, .probability = 0.8}, Random(3, sample));
    changed += one == original ? 0 : 1;
    image::Image two = original;
    color_jitter(two, {.gray_probability = 0.2}, Random(3, sample));
    gray += two.pixels[0] == two.pixels[1] && two.pixels[3] == two.pixels[5] ? 1 : 0;
  }
  EXPECT_NEAR(changed, 800, 50);
  EXPECT_NEAR(gray, 200, 50);
}

TEST(ColorJitter, ContrastKeepsTheMeanGrey) {
  image::Image image = picture({100, 100, 100, 140, 140, 140});
  color_jitter(image, {.contrast = 0.5}, Random(5, 1));
  EXPECT_NEAR(image.pixels[0] + image.pixels[3], 240, 1);
  EXPECT_NE(image.pixels[0], 100);
}

TEST(ColorJitter, RefusesRangesOutOfRange) {
  EXPECT_FALSE(ColorJitter{}.any());
  EXPECT_NO_THROW((ColorJitter{.brightness = 0.32, .hue = 0.08, .probability = 0.8}.validate()));
  EXPECT_THROW(ColorJitter{.hue = 0.6}.validate(), std::invalid_argument);
  EXPECT_THROW(ColorJitter{.contrast = -1}.validate(), std::invalid_argument);
  EXPECT_THROW(ColorJitter{.gray_probability = 1.1}.validate(), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
