#include "couplet/image/jpeg_guard.hpp"

#include <gtest/gtest.h>

#include "image/samples.hpp"
#include "support/file_errors.hpp"

namespace couplet::image {
namespace {

using test::JpegParts;

std::string refusal(const std::string& file) {
  return test::file_error_of([&] { check_jpeg(test::bytes(file), {}, "x.jpg"); });
}

/// A file with these segments in place of the usual ones.
std::string file(const std::string& segments) {
  const JpegParts jpeg = test::grey_jpeg();
  return "\xff\xd8" + segments + jpeg.scan_header() + jpeg.entropy() + "\xff\xd9";
}

const JpegParts grey_parts = test::grey_jpeg();

TEST(JpegGuard, LearnsWhatTheDecodersNeed) {
  std::string whole = test::color_jpeg().bytes();
  whole.insert(2, JpegParts::segment(0xE0, std::string("JFIF\0\1\1\0\0\1\0\1\0\0", 14)) +
                      JpegParts::segment(0xEE, std::string("Adobe\0d\0\0\0\0\2", 12)) +
                      JpegParts::segment(0xE1, std::string("Exif\0\0tiff", 10)));
  const JpegFile jpeg = check_jpeg(test::bytes(whole + "more"), {}, "");
  EXPECT_EQ(jpeg.width, 16);
  EXPECT_EQ(jpeg.components, 3);
  EXPECT_TRUE(jpeg.jfif);
  EXPECT_EQ(jpeg.adobe_transform, 2);
  EXPECT_EQ(jpeg.exif.size(), 4u);
  EXPECT_EQ(jpeg.end, whole.size());
  EXPECT_FALSE(jpeg.progressive || jpeg.rgb_ids() || jpeg.largest_table);
}

TEST(JpegGuard, NamesWhatIsWrong) {
  const std::string q = grey_parts.quantization(), f = grey_parts.frame(), h = grey_parts.huffman();
  EXPECT_EQ(refusal(file(q + f + h)), "");
  EXPECT_EQ(refusal(file(q + h)), "x.jpg: JPEG: a scan without a frame header");
  EXPECT_EQ(refusal(file(f + h)), "x.jpg: JPEG: a quantisation table is missing");
  EXPECT_EQ(refusal(file(q + f)), "x.jpg: JPEG: a scan uses a Huffman table that is not defined");
  EXPECT_EQ(refusal(file(q + f + f + h)), "x.jpg: JPEG: two frame headers");
  EXPECT_EQ(refusal(file(q + grey_parts.frame('\xC3') + h)),
            "x.jpg: JPEG: only baseline and progressive Huffman coding are supported, found SOF3");
  EXPECT_EQ(refusal(file(q + grey_parts.frame('\xC9') + h)),
            "x.jpg: JPEG: only baseline and progressive Huffman coding are supported, found SOF9");
  EXPECT_EQ(refusal(file("\xff\x01" + q + f + h)), "x.jpg: JPEG: unexpected marker 1");
  EXPECT_EQ(refusal(file(q + "x" + f + h)), "x.jpg: JPEG: expected a marker at byte " + std::to_string(2 + q.size()));
  EXPECT_EQ(refusal(file(q + f + h + JpegParts::segment(0xDC, std::string("\0\x10", 2)))),
            "x.jpg: JPEG: a height given after the first scan (DNL) is not supported");
  EXPECT_EQ(refusal("\xff\xd8\xff\xd9"), "x.jpg: JPEG: no image data before EOI");
  EXPECT_EQ(refusal("\xff\xd8" + q + f + h + grey_parts.scan_header() + "\xff\xd9"),
            "x.jpg: JPEG: a scan without data");
  EXPECT_EQ(refusal(file(q + "\xff\xff\xff" + f + h)), "") << "fill bytes";
}

TEST(JpegGuard, ChecksTheFrameHeader) {
  const auto with = [](std::size_t at, int value) {
    std::string frame = grey_parts.frame();
    frame[at] = static_cast<char>(value);
    return refusal(file(grey_parts.quantization() + frame + grey_parts.huffman()));
  };
  EXPECT_EQ(with(4, 12), "x.jpg: JPEG: expected 8 bits a sample, found 12");
  EXPECT_EQ(with(6, 0), "x.jpg: an image of 16x0 pixels has nothing in it");
  EXPECT_EQ(with(5, 0xff), "x.jpg: expected sides of at most 16384 pixels, found 16x65296");
  EXPECT_EQ(with(9, 2), "x.jpg: JPEG: expected 1, 3 or 4 components, found 2");
  EXPECT_EQ(with(9, 3), "x.jpg: JPEG: the frame header does not fit its components");
  EXPECT_EQ(with(11, 0x10), "x.jpg: JPEG: sampling factor 0");
  EXPECT_EQ(with(11, 0x51), "x.jpg: JPEG: sampling factor 5");
  EXPECT_EQ(with(12, 4), "x.jpg: JPEG: quantisation table 4");
}

TEST(JpegGuard, RefusesFractionsOfSamplingAndTwins) {
  const auto with = [](std::size_t at, int value) {
    std::string whole = test::color_jpeg().bytes();
    whole[whole.find("\xff\xc0") + at] = static_cast<char>(value);
    return refusal(whole);
  };
  EXPECT_EQ(with(11, 0x21), "");
  EXPECT_EQ(with(11, 0x44), "x.jpg: JPEG: a scan of 18 blocks a unit, expected at most 10");
  EXPECT_EQ(with(13, 1), "x.jpg: JPEG: two components with one id");
  std::string whole = test::color_jpeg().bytes();
  whole[whole.find("\xff\xc0") + 11] = '\x31';
  whole[whole.find("\xff\xc0") + 14] = '\x21';
  EXPECT_EQ(refusal(whole), "x.jpg: JPEG: sampling by 2/3 is not supported");
}

TEST(JpegGuard, ChecksHuffmanTables) {
  const auto table = [](int id, const std::vector<int>& counts, std::size_t symbols, char value = 0) {
    std::string content(1, static_cast<char>(id));
    for (std::size_t i = 0; i < 16; ++i) content += static_cast<char>(i < counts.size() ? counts[i] : 0);
    return refusal(file(grey_parts.quantization() + grey_parts.frame() + grey_parts.huffman() +
                        JpegParts::segment(0xC4, content + std::string(symbols, value))));
  };
  EXPECT_EQ(table(0x10, {1, 1, 1}, 3), "");
  EXPECT_EQ(table(0x10, {2}, 2), "");  // the code of all ones: libjpeg and stb decode it
  EXPECT_EQ(table(0x10, {3}, 3), "x.jpg: JPEG: over-subscribed Huffman code");
  EXPECT_EQ(table(0x10, {1, 1, 1}, 2), "x.jpg: JPEG: DHT is shorter than its counts");
  EXPECT_EQ(table(0x10, {0, 0, 0, 0, 0, 0, 0, 0, 255, 2}, 257), "x.jpg: JPEG: a Huffman table of 257 symbols");
  EXPECT_EQ(table(0x20, {1}, 1), "x.jpg: JPEG: Huffman table 2.0");
  EXPECT_EQ(table(0x14, {1}, 1), "x.jpg: JPEG: Huffman table 1.4");
  EXPECT_EQ(table(0x00, {1}, 1, 12), "x.jpg: JPEG: DC difference of 12 bits");
  EXPECT_EQ(refusal(file(JpegParts::segment(0xC4, std::string(16, '\0')))), "x.jpg: JPEG: DHT ends inside a table");
}

TEST(JpegGuard, ChecksQuantizationTables) {
  const auto with = [](const std::string& content) { return refusal(file(JpegParts::segment(0xDB, content))); };
  EXPECT_EQ(with(std::string(64, '\0')), "x.jpg: JPEG: DQT is shorter than its table");
  EXPECT_EQ(with("\x10" + std::string(127, '\1')), "x.jpg: JPEG: DQT is shorter than its table");
  EXPECT_EQ(with("\x20" + std::string(200, '\1')), "x.jpg: JPEG: quantisation table 2.0");
  EXPECT_EQ(with("\x04" + std::string(64, '\1')), "x.jpg: JPEG: quantisation table 0.4");
}

TEST(JpegGuard, ChecksScans) {
  const std::string start = "\xff\xd8" + grey_parts.quantization() + grey_parts.frame() + grey_parts.huffman();
  const auto with = [&](const std::string& content, int times = 1) {
    std::string whole = start;
    for (int i = 0; i < times; ++i) whole += JpegParts::segment(0xDA, content) + "data";
    return refusal(whole + "\xff\xd9");
  };
  const std::string good("\1\1\0\0\x3f\0", 6);
  EXPECT_EQ(with(good), "");
  EXPECT_EQ(with(good, 32), "");
  EXPECT_EQ(with(good, 33), "x.jpg: JPEG: more than 32 scans");
  EXPECT_EQ(with(""), "x.jpg: JPEG: the scan header does not fit its components");
  EXPECT_EQ(with(std::string("\2\1\0\0\x3f\0", 6)), "x.jpg: JPEG: the scan header does not fit its components");
  EXPECT_EQ(with(std::string("\1\7\0\0\x3f\0", 6)), "x.jpg: JPEG: a scan of component 7");
  EXPECT_EQ(with(std::string("\1\1\x10\0\x3f\0", 6)), "x.jpg: JPEG: a scan uses a Huffman table that is not defined");
  EXPECT_EQ(with(std::string("\1\1\0\1\x3f\0", 6)), "x.jpg: JPEG: a progressive scan in a baseline frame");
  const std::string progressive =
      "\xff\xd8" + grey_parts.quantization() + grey_parts.frame('\xC2') + grey_parts.huffman();
  EXPECT_EQ(refusal(progressive + JpegParts::segment(0xDA, good) + "data\xff\xd9"),
            "x.jpg: JPEG: scan of coefficients 0 to 63");
  EXPECT_EQ(refusal(progressive + JpegParts::segment(0xDA, std::string("\1\1\0\5\2\0", 6)) + "data\xff\xd9"),
            "x.jpg: JPEG: scan of coefficients 5 to 2");
  EXPECT_EQ(refusal(progressive + JpegParts::segment(0xDA, std::string("\1\1\0\0\0\0", 6)) + "data\xff\xd9"), "");
}

}  // namespace
}  // namespace couplet::image
