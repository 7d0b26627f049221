#include "couplet/data/scene_render.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

namespace couplet::data::detail {
namespace {

Scene one_object(int shape, int radius) {
  Scene scene;
  scene.background_rgb = {100, 100, 100};
  scene.objects.push_back({0, shape, true, scene_units / 2, scene_units / 2, radius, 2, {200, 20, 30}});
  return scene;
}

TEST(SceneRender, PaintsTheObjectInTheMiddleAndTheBackgroundAround) {
  const image::Image image = render_scene(one_object(1, 1200), 65, Random(1));
  ASSERT_EQ(image.width, 65);
  ASSERT_EQ(image.pixels.size(), 65u * 65 * 3);
  const std::size_t middle = 3 * (32 * 65 + 32);
  EXPECT_NEAR(image.pixels[middle], 200, 5);
  EXPECT_NEAR(image.pixels[middle + 1], 20, 5);
  EXPECT_NEAR(image.pixels[0], 100, 5);
}

TEST(SceneRender, CoverageIsTheAreaOfTheShape) {
  // A square of half side 860/1024 radii, and a radius of a quarter of the side.
  image::Image image{64, 64, std::vector<std::uint8_t>(64 * 64 * 3, 0)};
  SceneObject object{0, 1, true, 2048, 2048, 1024, 2, {255, 255, 255}};
  paint_object(object, image);
  long sum = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) sum += image.pixels[i];
  const double side = 64 * 2 * 0.25 * 860 / 1024;
  EXPECT_NEAR(static_cast<double>(sum) / 255, side * side, side * side * 0.03);
}

TEST(SceneRender, ClipsObjectsAtTheBorder) {
  image::Image image{16, 16, std::vector<std::uint8_t>(16 * 16 * 3, 0)};
  for (const int at : {-500, 0, 4096, 4700}) {
    paint_object({0, 0, true, at, at, 900, 0, {255, 255, 255}}, image);
  }
  EXPECT_EQ(image.pixels[0], 255);
  EXPECT_EQ(image.pixels[3 * 255], 255);
  EXPECT_EQ(image.pixels[3 * (8 * 16 + 8)], 0);
}

TEST(SceneRender, NoiseIsSmallAndBalanced) {
  image::Image image{64, 64, std::vector<std::uint8_t>(64 * 64 * 3, 100)};
  add_noise(Random(3), image);
  std::array<int, 11> counts{};
  for (const std::uint8_t value : image.pixels) ++counts.at(static_cast<std::size_t>(value - 95));
  for (const int count : counts) EXPECT_NEAR(count, 64 * 64 * 3 / 11, 150);
}

TEST(SceneRender, LargerPicturesShowTheSameScene) {
  const image::Image small = render_scene(one_object(7, 1500), 32, Random(1));
  const image::Image large = render_scene(one_object(7, 1500), 128, Random(2));
  int different = 0;
  for (std::size_t y = 0; y < 32; ++y) {
    for (std::size_t x = 0; x < 32; ++x) {
      long sum = 0;
      for (std::size_t i = 0; i < 16; ++i) sum += large.pixels[3 * ((4 * y + i / 4) * 128 + 4 * x + i % 4)];
      different += std::abs(static_cast<int>(sum / 16) - small.pixels[3 * (y * 32 + x)]) > 16 ? 1 : 0;
    }
  }
  EXPECT_LE(different, 2);
}

}  // namespace
}  // namespace couplet::data::detail
