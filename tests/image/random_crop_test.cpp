#include "couplet/image/random_crop.hpp"

#include <gtest/gtest.h>

#include <random>

#include "image/golden.hpp"

namespace couplet::image {
namespace {

TEST(RandomCrop, ByHand) {
  const RandomCropOptions square{.scale = {0.25, 0.25}, .ratio = {1.0, 1.0}};
  const std::vector<double> low{0.5, 0.5, 0.001, 0.001}, high{0.5, 0.5, 0.999, 0.999};
  const Window first = random_crop_window({100, 100}, low, square), last = random_crop_window({100, 100}, high, square);
  EXPECT_EQ(first.height, 50);
  EXPECT_EQ(first.width, 50);
  EXPECT_EQ(first.y, 0);
  EXPECT_EQ(last.y, 50);
  EXPECT_EQ(last.x, 50);
}

TEST(RandomCrop, FallsBackToTheCentre) {
  const RandomCropOptions wide{.scale = {1.0, 1.0}, .ratio = {2.0, 2.0}};
  const std::vector<double> one(4, 0.5);
  const Window window = random_crop_window({100, 50}, one, wide);  // 141 x 71 does not fit
  EXPECT_EQ(window.width, 50);
  EXPECT_EQ(window.height, 25);
  EXPECT_EQ(window.y, 37);
  const Window none = random_crop_window({40, 50}, {}, {});
  EXPECT_EQ(none.height, 40);
  EXPECT_EQ(none.width, 50);
}

TEST(RandomCrop, StaysInsideAndKeepsItsRanges) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  std::vector<double> u(random_crop_uniforms);
  for (int trial = 0; trial < 3000; ++trial) {
    for (double& value : u) value = std::min(uniform(random), 0.9999999);
    const Size size{1 + static_cast<int>(random() % 300), 1 + static_cast<int>(random() % 300)};
    const Window w = random_crop_window(size, u, {.scale = {0.3, 0.8}});
    ASSERT_TRUE(w.y >= 0 && w.x >= 0 && w.height >= 1 && w.width >= 1 && w.y + w.height <= size.height &&
                w.x + w.width <= size.width);
    if (size.height > 50 && size.height * 2 > size.width && size.width * 2 > size.height) {
      const double part = double(w.height) * w.width / (double(size.height) * size.width);
      EXPECT_GT(part, 0.27);
    }
  }
}

TEST(RandomCrop, ResizesTheWindow) {
  const Image image = test::noise_image(60, 80, 9);
  const RandomCropOptions half{.scale = {0.4, 0.5}};
  std::vector<double> u(random_crop_uniforms, 0.3);
  const Window window = random_crop_window({60, 80}, u, half);
  const Image out = random_resized_crop(image, {32, 24}, u, half);
  EXPECT_EQ(out, resize(crop(image, window), 32, 24));
  EXPECT_EQ(out, random_resized_crop(image, {32, 24}, u, half));
  u[2] = 0.9;
  EXPECT_NE(out, random_resized_crop(image, {32, 24}, u, half));
}

TEST(RandomCrop, RefusesNonsense) {
  const std::vector<double> three(3, 0.5), one(4, 1.0), good(4, 0.5);
  EXPECT_THROW(random_crop_window({9, 9}, three), std::invalid_argument);
  EXPECT_THROW(random_crop_window({9, 9}, one), std::invalid_argument);
  EXPECT_THROW(random_crop_window({0, 9}, good), std::invalid_argument);
  EXPECT_THROW(random_crop_window({9, 9}, good, {.scale = {0.0, 1.0}}), std::invalid_argument);
  EXPECT_THROW(random_crop_window({9, 9}, good, {.scale = {0.9, 0.8}}), std::invalid_argument);
  EXPECT_THROW(random_crop_window({9, 9}, good, {.ratio = {-1.0, 1.0}}), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::image
