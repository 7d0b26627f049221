#include "couplet/image/decode.hpp"

#include <gtest/gtest.h>

#include "couplet/image/checksum.hpp"
#include "image/golden.hpp"
#include "image/samples.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::image {
namespace {

using test::file_error_of, test::text;

TEST(Decode, ReadsGreyOfEveryDepth) {
  for (const auto& [depth, rows, expected] : {std::tuple{1, std::string("\0\x80", 2), std::vector<int>{255, 0, 0, 0}},
                                              {2, {"\0\x1b", 2}, {0, 85, 170, 255}},
                                              {4, {"\0\x01\x8f", 3}, {0, 17, 136, 255}},
                                              {8, {"\0\x01\x02\x7f\xff", 5}, {1, 2, 127, 255}},
                                              {16, {"\0\0\xff\1\0\x80\x7f\xff\xff", 9}, {0, 1, 128, 255}}}) {
    const test::PngParts png{4, 1, static_cast<char>(depth), 0, 0, 0, 0, {}, rows};
    const Image image = decode(png.bytes());
    for (std::size_t x = 0; x < 4; ++x)
      for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(image.pixels[3 * x + c], expected[x]) << depth << " " << x;
  }
}

TEST(Decode, TreatsTransparencyAsAsked) {
  const test::PngParts rgba{2, 1, 8, 6, 0, 0, 0, {}, std::string("\0\x64\0\xff\x33\1\2\3\xff", 9)};
  EXPECT_EQ(decode(rgba.bytes()).pixels, (std::vector<std::uint8_t>{224, 204, 255, 1, 2, 3}));
  EXPECT_EQ(decode(rgba.bytes(), {.transparency = Transparency::drop}).pixels,
            (std::vector<std::uint8_t>{100, 0, 255, 1, 2, 3}));
  const Image kept = decode(rgba.bytes(), {.transparency = Transparency::keep});
  EXPECT_EQ(kept.alpha, (std::vector<std::uint8_t>{51, 255}));
  EXPECT_FALSE(kept.indexed);
}

TEST(Decode, ReadsPalettesAndTheirTransparency) {
  const std::string palette = test::chunk("PLTE", std::string("\1\2\3\x0a\x14\x1e", 6));
  const std::string keys = test::chunk("tRNS", std::string("\0", 1));
  const test::PngParts png{3, 1, 8, 3, 0, 0, 0, palette + keys, std::string("\0\1\0\x7", 4)};  // index 7: not there
  EXPECT_EQ(decode(png.bytes()).pixels, (std::vector<std::uint8_t>{10, 20, 30, 255, 255, 255, 0, 0, 0}));
  const Image kept = decode(png.bytes(), {.transparency = Transparency::keep});
  EXPECT_EQ(kept.pixels, (std::vector<std::uint8_t>{10, 20, 30, 1, 2, 3, 0, 0, 0}));
  EXPECT_TRUE(kept.alpha.empty());
  EXPECT_TRUE(kept.indexed);
}

TEST(Decode, ReadsItsOwnSmallJpeg) {
  const Image grey = decode(test::grey_jpeg().bytes());
  ASSERT_EQ(grey.pixels.size(), 16u * 16u * 3u);
  EXPECT_EQ(grey.pixels[0], 118);                 // 128 - 10
  EXPECT_EQ(grey.pixels[3 * 8], 128);             // 128 + 0
  EXPECT_EQ(grey.pixels[3 * (8 * 16)], 133);      // 128 + 5
  EXPECT_EQ(grey.pixels[3 * (8 * 16 + 8)], 228);  // 128 + 100
  const Image color = decode(test::color_jpeg().bytes());
  EXPECT_EQ(color.pixels[0], 124);  // Y 118, Cb 131, Cr 132: R = 118 + 1.402 * 4
  EXPECT_EQ(color.pixels[1], 114);  // G = 118 - 0.344 * 3 - 0.714 * 4
  EXPECT_EQ(color.pixels[2], 123);  // B = 118 + 1.772 * 3
}

TEST(Decode, ReusesMemory) {
  for (const std::string& bytes :
       {test::color_jpeg().bytes(), test::grey_jpeg().bytes(), encode_png(test::smooth_image(16, 16))}) {
    const Image fresh = decode(bytes);
    EXPECT_EQ(decode(bytes, {}, {}, std::vector<std::uint8_t>(5000, 7)), fresh);
    EXPECT_EQ(decode(bytes, {}, {}, std::vector<std::uint8_t>(10, 7)), fresh);
  }
}

TEST(Decode, TurnsPhotographsUprightOnlyWhenAsked) {
  test::JpegParts jpeg = test::grey_jpeg();
  jpeg.height = 8;
  jpeg.levels = {-10, 100};
  std::string bytes = jpeg.bytes();
  bytes.insert(2, test::JpegParts::segment(0xE1, std::string("Exif\0\0", 6) + test::exif_tiff(6, true)));
  EXPECT_EQ(decode(bytes).width, 16);
  const Image turned = decode(bytes, {.apply_exif_orientation = true});
  EXPECT_EQ(turned.width, 8);
  EXPECT_EQ(turned.height, 16);
  EXPECT_EQ(turned.pixels[0], 118);
  EXPECT_EQ(turned.pixels[3 * 8 * 15], 228);
  const std::string png =
      test::PngParts{2, 1, 8, 0, 0, 0, 0, test::chunk("eXIf", test::exif_tiff(3, false)), {"\0\1\2", 3}}.bytes();
  EXPECT_EQ(decode(png, {.apply_exif_orientation = true}).pixels[0], 2);
}

TEST(Decode, NamesTheFileAndWhatItFound) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("cat.jpg");
  io::write_file(path, "GIF89a...");
  EXPECT_EQ(file_error_of([&] { decode_file(path); }),
            path + ": unsupported image type, expected PNG or JPEG, first bytes 47 49 46 38 39 61 2e 2e");
  EXPECT_EQ(file_error_of([] { decode(std::string_view()); }),
            "unsupported image type, expected PNG or JPEG, first bytes none");
  EXPECT_NE(file_error_of([&] { decode_file(folder.path("missing.png")); }), "");
  io::write_file(path, test::grey_jpeg().bytes());
  EXPECT_NE(file_error_of([&] { decode_file(path, {.limits = {.file_bytes = 100}}); }), "");
  EXPECT_NE(file_error_of([&] { decode(test::grey_jpeg().bytes(), {.limits = {.file_bytes = 100}}); }), "");
  EXPECT_NO_THROW(decode_file(path));
}

TEST(Decode, KeepsTheLimitsOfTheCaller) {
  for (const std::string& bytes : {test::grey_jpeg().bytes(), encode_png(test::noise_image(16, 16, 1))}) {
    EXPECT_NO_THROW(decode(bytes, {.limits = {.side = 16, .pixels = 256}}));
    EXPECT_NE(file_error_of([&] { decode(bytes, {.limits = {.side = 15}}); }).find("expected sides of at most 15"),
              std::string::npos);
    EXPECT_NE(file_error_of([&] { decode(bytes, {.limits = {.pixels = 255}}); }).find("expected at most 255 pixels"),
              std::string::npos);
  }
}

/// Small files of all kinds whose structure the next tests damage.
std::vector<std::string> specimens() {
  Image rgba = test::smooth_image(9, 7);
  rgba.alpha = test::noise(63, 2);
  const std::string palette = test::chunk("PLTE", std::string(30, 'a')) + test::chunk("tRNS", "abc");
  return {encode_png(test::smooth_image(9, 7)), encode_png(rgba),
          test::PngParts{5, 2, 4, 3, 0, 0, 0, palette, std::string("\0\1\2\3\1\2\3\4", 8)}.bytes(),
          test::grey_jpeg().bytes(), test::color_jpeg().bytes()};
}

TEST(Decode, RefusesFilesCutAnywhere) {
  for (const std::string& whole : specimens()) {
    EXPECT_NO_THROW(decode(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(decode(std::string_view(whole).substr(0, size)), file_error) << size << " of " << whole.size();
  }
}

TEST(Decode, SurvivesFlippedBits) {
  int refused = 0, total = 0;
  for (const std::string& whole : specimens())
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      ++total;
      try {
        const Image image = decode(damaged, {.limits = {.side = 4096, .pixels = 1 << 20}});
        EXPECT_NO_THROW(check_image("test", image));
      } catch (const file_error&) {
        ++refused;
      }
    }
  std::cout << refused << " of " << total << " damaged files refused\n";
  EXPECT_GT(refused, total / 2);
}

TEST(Decode, SurvivesRandomBytesBehindEverySignature) {
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    const auto bytes = test::noise(64 + seed % 200, seed);
    std::string file(bytes.begin(), bytes.end());
    file.replace(0, seed % 2 == 0 ? 8 : 3, seed % 2 == 0 ? std::string(png_signature) : "\xff\xd8\xff");
    EXPECT_THROW(decode(file), file_error);
  }
}

TEST(Decode, EqualsTheGoldenFilesByteForByte) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const test::GoldenTensors tensors("decode.safetensors");
  int equal = 0, total = 0;
  const auto check = [&](const std::string& what, const Image& image, std::span<const std::uint8_t> expected) {
    const bool same = test::equal(image.pixels, expected);
    ++total;
    equal += same ? 1 : 0;
    EXPECT_TRUE(same) << what;
  };
  const io::Json index = test::golden_json("index.json");
  for (const io::Json& entry : index.find("decode")->items()) {
    const std::string name = text(entry, "input"), path = test::golden_images() + "/input/" + name;
    if (name == "png_l16.png") continue;  // Pillow clips at 255, we take the high byte
#if !defined(COUPLET_HAVE_LIBJPEG)
    if (name.ends_with(".jpg")) continue;
#endif
    const Image dropped = decode_file(path, {.transparency = Transparency::drop});
    EXPECT_EQ(crc32(dropped.pixels), test::crc(entry, "crc32")) << name;
    if (test::has(entry, "tensor")) {
      check(name, dropped, tensors.bytes(text(entry, "tensor")));
    } else {
      ++total;
      equal += crc32(dropped.pixels) == test::crc(entry, "crc32") ? 1 : 0;
    }
    if (test::has(entry, "tensor_on_white"))
      check(name + " on white", decode_file(path), tensors.bytes(text(entry, "tensor_on_white")));
    else
      EXPECT_EQ(decode_file(path), dropped) << name;
    if (test::has(entry, "tensor_upright"))
      check(name + " upright", decode_file(path, {.apply_exif_orientation = true}),
            tensors.bytes(text(entry, "tensor_upright")));
  }
  std::cout << "decode: " << equal << " of " << total << " equal\n";
  EXPECT_GE(total, 40);
}

TEST(Decode, JudgesTheGoldenMalformedFiles) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  std::map<std::string, int> right, total;
  int either_accepted = 0;
  const io::Json index = test::golden_json("malformed/index.json");
  for (const io::Json& entry : index.items()) {
    const std::string name = text(entry, "file"), verdict = text(entry, "verdict");
    std::string said;
    Image image;
    try {
      image = decode_file(test::golden_images() + "/malformed/" + name, {.transparency = Transparency::drop});
    } catch (const file_error& error) {
      said = error.what();
    }
    ++total[verdict];
    bool fine = true;
    if (verdict == "reject") fine = !said.empty();
    if (verdict == "accept") fine = said.empty();
    if (verdict == "either") either_accepted += said.empty() ? 1 : 0;
#if defined(COUPLET_HAVE_LIBJPEG)
    if (verdict == "accept" && fine) fine = crc32(image.pixels) == test::crc(entry, "crc32");
#endif
    right[verdict] += fine ? 1 : 0;
    EXPECT_TRUE(fine) << name << ": expected to " << verdict << " (" << text(entry, "reason") << "), found: " << said;
  }
  std::cout << "malformed: " << right["reject"] << " of " << total["reject"] << " refused, " << right["accept"]
            << " of " << total["accept"] << " accepted, " << either_accepted << " accepted of " << total["either"]
            << " that may go either way\n";
}

}  // namespace
}  // namespace couplet::image
