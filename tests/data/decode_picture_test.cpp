#include "couplet/data/decode_picture.hpp"

#include <gtest/gtest.h>

#include "couplet/image/encode.hpp"
#include "support/file_errors.hpp"

namespace couplet::data {
namespace {

TEST(DecodePicture, TakesPixelsAsTheyAre) {
  Sample sample;
  sample.image = image::Image{1, 1, {1, 2, 3}};
  EXPECT_EQ(decode_picture(sample), sample.image);
}

TEST(DecodePicture, DecodesBytes) {
  const image::Image pixels{2, 1, {1, 2, 3, 4, 5, 6}};
  Sample sample;
  sample.image_bytes = image::encode_png(pixels);
  EXPECT_EQ(decode_picture(sample), pixels);
}

TEST(DecodePicture, NamesTheSourceOfAnError) {
  Sample sample;
  sample.source = "shard.tar: a.png";
  sample.image_bytes = "text";
  EXPECT_EQ(test::file_error_of([&] { (void)decode_picture(sample); }).compare(0, 16, "shard.tar: a.png"), 0);
}

}  // namespace
}  // namespace couplet::data
