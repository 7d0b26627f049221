#include "couplet/data/picture_cache.hpp"

#include <gtest/gtest.h>

namespace couplet::data {
namespace {

image::Image picture(int width) {
  return {width, 1, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * width), 7)};
}

TEST(PictureCache, KeepsPicturesWithinItsBudget) {
  PictureCache cache(1000);
  cache.insert(1, picture(100));
  cache.insert(2, picture(150));  // 460 + 610 > 1000
  cache.insert(3, picture(10));
  ASSERT_TRUE(cache.find(1));
  EXPECT_EQ(*cache.find(1), picture(100));
  EXPECT_FALSE(cache.find(2));
  EXPECT_TRUE(cache.find(3));
  EXPECT_EQ(cache.bytes(), 300u + 160 + 30 + 160);
}

TEST(PictureCache, CountsAPictureOnce) {
  PictureCache cache(1000);
  cache.insert(1, picture(100));
  cache.insert(1, picture(100));
  EXPECT_EQ(cache.bytes(), 460u);
}

TEST(PictureCache, IsOffWithoutABudget) {
  PictureCache cache(0);
  cache.insert(1, picture(1));
  EXPECT_FALSE(cache.find(1));
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace couplet::data
