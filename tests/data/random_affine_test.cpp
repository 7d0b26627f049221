#include "couplet/data/random_affine.hpp"

#include <gtest/gtest.h>

namespace couplet::data {
namespace {

/// A square picture of one channel's values, the others zero.
image::Image picture(int side, const std::vector<std::uint8_t>& values) {
  image::Image image{.width = side, .height = side, .pixels = {}};
  for (const std::uint8_t value : values) image.pixels.insert(image.pixels.end(), {value, 0, 0});
  return image;
}

std::vector<int> values(const image::Image& image) {
  std::vector<int> result;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) result.push_back(image.pixels[i]);
  return result;
}

const image::Image nine = picture(3, {10, 20, 30, 40, 50, 60, 70, 80, 90});

TEST(RandomAffine, NoChangeGivesThePicture) { EXPECT_EQ(warp(nine, inverse_affine(0, 0, 0, 1, 0, 0)), nine); }

TEST(RandomAffine, RotatesAsTorchvision) {
  // torchvision.transforms.functional.affine turns clockwise: the first column becomes the first row, backwards.
  EXPECT_EQ(values(warp(nine, inverse_affine(90, 0, 0, 1, 0, 0))),
            (std::vector<int>{70, 40, 10, 80, 50, 20, 90, 60, 30}));
}

TEST(RandomAffine, ShiftsAndGoesOnWithTheEdge) {
  EXPECT_EQ(values(warp(nine, inverse_affine(0, 1, 0, 1, 0, 0))),
            (std::vector<int>{10, 10, 20, 40, 40, 50, 70, 70, 80}));
  EXPECT_EQ(values(warp(nine, inverse_affine(0, 0, -0.5, 1, 0, 0))),
            (std::vector<int>{25, 35, 45, 55, 65, 75, 70, 80, 90}));
}

TEST(RandomAffine, ScalesAroundTheCentre) {
  EXPECT_EQ(values(warp(nine, inverse_affine(0, 0, 0, 2, 0, 0))),
            (std::vector<int>{30, 35, 40, 45, 50, 55, 60, 65, 70}));
}

TEST(RandomAffine, ShearsRowsAlongThemselves) {
  // tan 45 degrees is 1: the upper row moves to the right by one pixel, the lower one to the left.
  EXPECT_EQ(values(warp(nine, inverse_affine(0, 0, 0, 1, 45, 0))),
            (std::vector<int>{10, 10, 20, 40, 50, 60, 80, 90, 90}));
}

TEST(RandomAffine, InvertsItsOwnFormula) {
  // R of the header applied to the inverse gives every point back.
  const double a = 0.4, x = 0.3, y = -0.2, s = 1.3, degree = 180 / std::numbers::pi;
  const AffineMap m = inverse_affine(a * degree, 0, 0, s, x * degree, y * degree);
  const double r00 = std::cos(a - y) / std::cos(y), r01 = -std::cos(a - y) * std::tan(x) / std::cos(y) - std::sin(a);
  const double r10 = std::sin(a - y) / std::cos(y), r11 = -std::sin(a - y) * std::tan(x) / std::cos(y) + std::cos(a);
  EXPECT_NEAR(s * (r00 * m.xx + r01 * m.yx), 1, 1e-14);
  EXPECT_NEAR(s * (r00 * m.xy + r01 * m.yy), 0, 1e-14);
  EXPECT_NEAR(s * (r10 * m.xx + r11 * m.yx), 0, 1e-14);
  EXPECT_NEAR(s * (r10 * m.xy + r11 * m.yy), 1, 1e-14);
}

TEST(RandomAffine, DependsOnTheDrawsAlone) {
  const RandomAffine affine{.degrees = 20, .translate = 0.2, .scale = 0.2, .shear = 10};
  int changed = 0;
  for (std::uint64_t sample = 0; sample < 50; ++sample) {
    image::Image one = nine, two = nine;
    random_affine(one, affine, Random(1, sample));
    random_affine(two, affine, Random(1, sample));
    EXPECT_EQ(one, two);
    changed += one == nine ? 0 : 1;
  }
  EXPECT_GT(changed, 45);
  image::Image same = nine;
  random_affine(same, {}, Random(1, 1));
  EXPECT_EQ(same, nine);
}

TEST(RandomAffine, RefusesRangesOutOfRange) {
  EXPECT_FALSE(RandomAffine{}.any());
  EXPECT_NO_THROW((RandomAffine{.degrees = 15, .translate = 0.1, .scale = 0.2, .shear = 10}.validate()));
  EXPECT_THROW(RandomAffine{.degrees = 181}.validate(), std::invalid_argument);
  EXPECT_THROW(RandomAffine{.translate = -0.1}.validate(), std::invalid_argument);
  EXPECT_THROW(RandomAffine{.scale = 1}.validate(), std::invalid_argument);
  EXPECT_THROW(RandomAffine{.shear = 90}.validate(), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
