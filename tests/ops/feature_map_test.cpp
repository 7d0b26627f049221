#include "couplet/ops/feature_map.hpp"

#include <gtest/gtest.h>

#include "support/random_tensor.hpp"

namespace couplet {
namespace {

TEST(FeatureMap, CountsItsPixelsAndShrinks) {
  const ops::FeatureMap map{3, 7, 10};
  EXPECT_EQ(map.pixels(), 70);
  EXPECT_EQ(map.rows(), 210);
  EXPECT_EQ(map.divided(2), (ops::FeatureMap{3, 3, 5}));
  EXPECT_EQ(to_string(map), "3 images of 7 x 10 pixels");
}

TEST(FeatureMap, PutsTheChannelsOfAPixelSideBySide) {
  const auto images = test::random_tensor<float, 4>({2, 3, 4, 5}, 1);
  Tensor<float, 2> rows({40, 3});
  ops::image_to_rows<float>(images, rows);
  for (Index b = 0; b < 2; ++b) {
    for (Index y = 0; y < 4; ++y) {
      for (Index x = 0; x < 5; ++x) {
        for (Index c = 0; c < 3; ++c) EXPECT_EQ(rows((b * 4 + y) * 5 + x, c), images(b, c, y, x));
      }
    }
  }
  Tensor<float, 2> wrong({39, 3});
  EXPECT_THROW(ops::image_to_rows<float>(images, wrong), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
