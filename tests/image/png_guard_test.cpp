#include "couplet/image/png_guard.hpp"

#include <gtest/gtest.h>

#include "image/samples.hpp"
#include "support/file_errors.hpp"

namespace couplet::image {
namespace {

using test::chunk, test::PngParts;

std::string png_refusal(const std::string& file) {
  return test::file_error_of([&] { check_png(test::bytes(file), {}, "x.png"); });
}

std::string png_refusal(const PngParts& parts) { return png_refusal(parts.bytes()); }

const std::string rows = test::plain_rows(std::string(36, 'x'), 12);

TEST(PngGuard, AcceptsEveryLegalHeader) {
  const std::string palette = chunk("PLTE", "abc");
  for (const auto& [type, depths] : std::vector<std::pair<char, std::string>>{
           {0, "\1\2\4\10\20"}, {2, "\10\20"}, {3, "\1\2\4\10"}, {4, "\10\20"}, {6, "\10\20"}})
    for (char depth = 1; depth < 33; ++depth) {
      const PngParts png{1, 1, depth, type, 0, 0, 0, palette, std::string(9, '\0')};
      EXPECT_EQ(png_refusal(png).empty(), depths.find(depth) != std::string::npos) << int(type) << " " << int(depth);
    }
}

TEST(PngGuard, NamesWhatIsWrong) {
  PngParts png{.rows = rows};
  EXPECT_EQ(png_refusal(png), "");
  const auto with = [&](auto change) {
    PngParts changed = png;
    change(changed);
    return png_refusal(changed);
  };
  EXPECT_EQ(with([](PngParts& p) { p.width = 0; }), "x.png: an image of 0x3 pixels has nothing in it");
  EXPECT_EQ(with([](PngParts& p) { p.width = 1u << 31u; }),
            "x.png: expected sides of at most 16384 pixels, found 2147483648x3");
  EXPECT_EQ(with([](PngParts& p) { p.width = p.height = 8000; }),
            "x.png: expected at most 40000000 pixels, found 8000x8000");
  EXPECT_EQ(with([](PngParts& p) { p.width = p.height = 6000; }),
            "x.png: PNG: the file is truncated: 50 bytes of IDAT cannot hold 6000x6000 pixels");
  EXPECT_EQ(with([](PngParts& p) { p.interlace = 2; }), "x.png: PNG: interlace method 2");
  EXPECT_EQ(with([](PngParts& p) { p.compression = 1; }), "x.png: PNG: compression method 1");
  EXPECT_EQ(with([](PngParts& p) { p.filter = 1; }), "x.png: PNG: filter method 1");
  EXPECT_EQ(with([](PngParts& p) { p.color_type = 3; }), "x.png: PNG: PLTE is missing");
  EXPECT_EQ(with([](PngParts& p) { p.before_data = chunk("IHDR", p.header()); }), "x.png: PNG: two IHDR chunks");
  EXPECT_EQ(with([](PngParts& p) { p.before_data = chunk("PLTE", std::string(771, 'a')); }),
            "x.png: PNG: PLTE of 771 bytes");
  EXPECT_EQ(with([](PngParts& p) { p.before_data = chunk("CgBI", "abcd"); }),
            "x.png: PNG: unknown critical chunk CgBI");
  EXPECT_EQ(with([](PngParts& p) { p.before_data = chunk("\1\2\3\4", ""); }),
            "x.png: PNG: unknown critical chunk \\x01\\x02\\x03\\x04");
  EXPECT_EQ(with([](PngParts& p) { p.before_data = chunk("IDAT", "a") + chunk("tEXt", "b"); }),
            "x.png: PNG: IDAT chunks are not consecutive");
  EXPECT_EQ(with([](PngParts& p) { p.before_data = chunk("tEXt", "k\0v") + chunk("vpAg", "1234"); }), "");
}

TEST(PngGuard, ChecksEveryChecksum) {
  const std::string whole = PngParts{.before_data = chunk("tEXt", "note"), .rows = rows}.bytes();
  for (std::size_t at = 8; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_NE(png_refusal(damaged), "") << at;
  }
  EXPECT_EQ(png_refusal(whole + "trailing bytes"), "");
}

TEST(PngGuard, RefusesStreamsThatAreNotZlib) {
  const std::string whole = PngParts{.rows = rows}.bytes();
  for (const std::string& stream : {std::string(), std::string("\x78\x01", 2), std::string("\x78\x02 12345", 8),
                                    std::string("\x79\x01 12345", 8), std::string("\x78\x20 12345", 8)}) {
    const std::string file =
        std::string(png_signature) + chunk("IHDR", PngParts{}.header()) + chunk("IDAT", stream) + chunk("IEND", {});
    EXPECT_NE(png_refusal(file), "") << stream.size();
  }
}

TEST(PngGuard, RewritesOnlyWhatItChecked) {
  const std::string before = chunk("tEXt", "note") + chunk("PLTE", "abcdef") + chunk("tRNS", "xy") + chunk("zzzz", "1");
  const std::string file = PngParts{3, 1, 8, 3, 0, 0, 0, before, std::string("\0\0\1\1", 4)}.bytes();
  const PngFile png = check_png(test::bytes(file), {}, "");
  const auto rewritten = rewritten_png(png, true);
  const std::string text(rewritten.begin(), rewritten.end());
  EXPECT_EQ(text.find("tEXt"), std::string::npos);
  EXPECT_EQ(text.find("zzzz"), std::string::npos);
  EXPECT_NE(text.find("tRNSxy"), std::string::npos);
  EXPECT_NE(text.find(std::string("\0\0\3\0PLTEabcdef\0\0\0", 17)), std::string::npos);
  const auto without = rewritten_png(png, false);
  EXPECT_EQ(std::string(without.begin(), without.end()).find("tRNS"), std::string::npos);
}

}  // namespace
}  // namespace couplet::image
