#include "couplet/image/encode.hpp"

#include <gtest/gtest.h>

#include "couplet/image/decode.hpp"
#include "image/golden.hpp"

namespace couplet::image {
namespace {

TEST(EncodePng, DecodesToTheSameImageWithEveryFilter) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 300}, {300, 1}, {37, 41}, {64, 64}, {5, 700}})
    for (const Image& image : {test::noise_image(height, width, 3), test::smooth_image(height, width)})
      for (int filter = -1; filter < 5; ++filter)
        EXPECT_EQ(decode(detail::encode_png(image, filter)), image) << filter << " " << height << "x" << width;
}

TEST(EncodePng, KeepsAlpha) {
  Image image = test::smooth_image(20, 30);
  image.alpha = test::noise(600, 4);
  EXPECT_EQ(decode(encode_png(image), {.transparency = Transparency::keep}), image);
}

TEST(EncodePng, CompressesWhatRepeats) {
  const Image flat{400, 300, std::vector<std::uint8_t>(360000, 9)};
  EXPECT_LT(encode_png(flat).size(), 5000u);
  EXPECT_EQ(decode(encode_png(flat)), flat);
  EXPECT_LT(encode_png(test::smooth_image(300, 400)).size(), 360000u);
  EXPECT_LT(encode_png(test::noise_image(100, 100, 5)).size(), 34000u);  // 30,000 bytes that cannot be compressed
}

TEST(EncodePng, RefusesAnEmptyImage) { EXPECT_THROW(encode_png(Image{}), std::invalid_argument); }

TEST(Zlib, MatchesOfEveryLengthAndDistanceSurvive) {
  // Pixels built so that copies of all lengths at growing distances occur; a wrong code would change what comes back.
  Image image{1024, 96, {}};
  std::uint32_t state = 11;
  while (image.pixels.size() < 1024u * 96 * 3) {
    state = state * 1664525u + 1013904223u;
    const std::size_t size = image.pixels.size();
    const std::size_t length = 3 + (state >> 8) % 300, distance = 1 + (state >> 12) % 40000;
    if (size < distance || (state >> 30) == 0) {
      const auto fresh = test::noise(1 + (state >> 20) % 9, state);
      image.pixels.insert(image.pixels.end(), fresh.begin(), fresh.end());
    } else {
      for (std::size_t i = 0; i < length; ++i) image.pixels.push_back(image.pixels[image.pixels.size() - distance]);
    }
  }
  image.pixels.resize(1024 * 96 * 3);
  const std::string png = detail::encode_png(image, 0);
  EXPECT_LT(png.size(), image.pixels.size() / 4);
  EXPECT_EQ(decode(png), image);
}

TEST(Base64, HasThePublishedValues) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace couplet::image
