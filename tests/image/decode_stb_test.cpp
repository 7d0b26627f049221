// The JPEG path of machines without libjpeg, compiled beside the other one; and a program that uses stb_image for
// itself after including couplet.
#undef COUPLET_HAVE_LIBJPEG
#include <gtest/gtest.h>

#include <cmath>

#include "couplet/image/decode.hpp"
#include "image/golden.hpp"
#include "image/samples.hpp"
#include "support/file_errors.hpp"

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

namespace couplet::image {
namespace {

TEST(DecodeStb, LeavesAUsersOwnImplementationComplete) {
  // BMP is compiled out of ours, so this is the user's: 1x1, 24 bits.
  const std::string bmp(
      "BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0"
      "\0\0\0\0\0\0\0\0\0\0\1\2\3\0",
      58);
  int width = 0, height = 0, channels = 0;
  stbi_uc* pixels =
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bmp.data()), 58, &width, &height, &channels, 3);
  ASSERT_NE(pixels, nullptr);
  EXPECT_EQ(pixels[0], 3);
  stbi_image_free(pixels);
  EXPECT_THROW(decode(bmp), file_error);
}

TEST(DecodeStb, ReadsItsOwnSmallJpeg) {
  const Image grey = decode(test::grey_jpeg().bytes());
  EXPECT_EQ(grey.pixels[0], 118);
  EXPECT_EQ(grey.pixels[3 * (8 * 16 + 8)], 228);
  EXPECT_NEAR(decode(test::color_jpeg().bytes()).pixels[0], 124, 2);
}

TEST(DecodeStb, RefusesWhatStbWouldGetWrong) {
  std::string named = test::color_jpeg().bytes();
  const std::size_t frame = named.find("\xff\xc0"), scan = named.find("\xff\xda");
  for (std::size_t c = 0; c < 3; ++c) named[frame + 10 + 3 * c] = named[scan + 5 + 2 * c] = "RGB"[c];
  EXPECT_NO_THROW(decode(named));  // RGB
  named.insert(2, test::JpegParts::segment(0xE0, std::string("JFIF\0\1\1\0\0\1\0\1\0\0", 14)));
  EXPECT_NE(test::file_error_of([&] { decode(named); }).find("need libjpeg"), std::string::npos);
}

TEST(DecodeStb, SurvivesCutsAndFlippedBits) {
  for (const std::string& whole : {test::grey_jpeg().bytes(), test::color_jpeg().bytes()}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(decode(std::string_view(whole).substr(0, size)), file_error);
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      try {
        check_image("test", decode(damaged, {.limits = {.side = 4096, .pixels = 1 << 20}}));
      } catch (const file_error&) {
      }
    }
  }
}

/// Largest and mean difference; of 4:2:2 images without the column that stb mixes the wrong way round.
std::pair<int, double> difference(const Image& image, std::span<const std::uint8_t> expected, bool half_width_chroma) {
  const int wrong = half_width_chroma ? (image.width % 2 == 1 ? image.width - 1 : image.width - 2) : -1;
  int most = 0;
  double sum = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (static_cast<int>(i / 3) % image.width == wrong) continue;
    const int d = std::abs(image.pixels[i] - expected[i]);
    most = std::max(most, d);
    sum += d;
  }
  return {most, sum / static_cast<double>(expected.size())};
}

TEST(DecodeStb, StaysWithinFourOfTheGoldenFiles) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const test::GoldenTensors tensors("decode.safetensors");
  int files = 0, most = 0;
  double sum = 0.0;
  const io::Json index = test::golden_json("index.json");
  for (const io::Json& entry : index.find("decode")->items()) {
    const std::string name = test::text(entry, "input");
    if (!name.ends_with(".jpg")) continue;
    const Image image = decode_file(test::golden_images() + "/input/" + name);
    const auto expected = tensors.bytes(test::text(entry, "tensor"));
    ASSERT_EQ(image.pixels.size(), expected.size()) << name;
    const auto [max, mean] = difference(image, expected, name.find("422") != std::string::npos);
    EXPECT_LE(max, 4) << name;
    EXPECT_LE(mean, 0.2) << name;
    sum += mean;
    most = std::max(most, max);
    ++files;
  }
  std::cout << files << " JPEG files through stb, largest difference " << most << ", mean " << sum / files << "\n";
  EXPECT_LE(sum / files, 0.1);
  EXPECT_GE(files, 15);
}

TEST(DecodeStb, JudgesTheGoldenMalformedFiles) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  int right = 0, total = 0;
  const io::Json index = test::golden_json("malformed/index.json");
  for (const io::Json& entry : index.items()) {
    const std::string name = test::text(entry, "file"), verdict = test::text(entry, "verdict");
    const std::string said = test::file_error_of([&] { decode_file(test::golden_images() + "/malformed/" + name); });
    if (verdict == "either") continue;
    ++total;
    right += said.empty() == (verdict == "accept") ? 1 : 0;
    EXPECT_EQ(said.empty(), verdict == "accept") << name << ": " << said;
  }
  std::cout << "malformed, without libjpeg: " << right << " of " << total << " as judged\n";
}

}  // namespace
}  // namespace couplet::image
