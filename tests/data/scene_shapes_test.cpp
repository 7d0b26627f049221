#include "couplet/data/scene_shapes.hpp"

#include <gtest/gtest.h>

#include <set>

namespace couplet::data {
namespace {

TEST(SceneShapes, HoldsOutTwoPairsOfEachColourAndShape) {
  for (int i = 0; i < 8; ++i) {
    int of_color = 0, of_shape = 0;
    for (int j = 0; j < 8; ++j) {
      of_color += is_held_out(i, j) ? 1 : 0;
      of_shape += is_held_out(j, i) ? 1 : 0;
    }
    EXPECT_EQ(of_color, 2);
    EXPECT_EQ(of_shape, 2);
  }
}

TEST(SceneShapes, SplitsTheClasses) {
  const auto seen = scene_class_names(ScenePairs::seen), held_out = scene_class_names(ScenePairs::held_out);
  std::set<std::string> all(seen.begin(), seen.end());
  all.insert(held_out.begin(), held_out.end());
  EXPECT_EQ(seen.size(), 48u);
  EXPECT_EQ(held_out.size(), 16u);
  EXPECT_EQ(all.size(), 64u);
  EXPECT_EQ(scene_class_names(ScenePairs::all).size(), 64u);
  EXPECT_EQ(scene_class_names(ScenePairs::all)[0], "red circle");
  EXPECT_EQ(scene_class_names(ScenePairs::all)[63], "brown heart");
}

TEST(SceneShapes, ShapesAreSymmetricAndDiffer) {
  std::set<long> areas;
  for (int shape = 0; shape < 8; ++shape) {
    long area = 0, mirrored = 0;
    for (int v = -1300; v <= 1300; v += 10) {
      for (int u = -1300; u <= 1300; u += 10) {
        area += detail::in_shape(shape, u, v) ? 1 : 0;
        mirrored += detail::in_shape(shape, u, v) && detail::in_shape(shape, -u, v) ? 1 : 0;
        EXPECT_FALSE(detail::in_shape(shape, u, v) && (u * u + v * v > 1340 * 1340)) << shape << " " << u << " " << v;
      }
    }
    EXPECT_GT(area, 9000) << shape;
    // The normals of the star are rounded.
    EXPECT_LE(area - mirrored, 20) << shape;
    areas.insert(area);
  }
  EXPECT_EQ(areas.size(), 8u);
}

}  // namespace
}  // namespace couplet::data
