#include "couplet/tokenizers/normalization.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using couplet::tokenizers::UnicodeVersion;

std::u32string nfc(const std::u32string& text) { return couplet::tokenizers::nfc(text, UnicodeVersion::v14); }

TEST(Nfc, ComposesAcrossTheCasesOfTheStandard) {
  const struct {
    const char32_t *text, *expected;
  } cases[] = {
      {U"cafe\u0301", U"caf\u00e9"},
      {U"plain", U"plain"},
      {U"\u00e9", U"\u00e9"},
      {U"\u212b\u2126", U"\u00c5\u03a9"},                                  // single: angstrom, ohm
      {U"\u1e69", U"\u1e69"},                                              // two marks
      {U"s\u0307\u0323", U"\u1e69"},                                       // ordered by class first
      {U"\u1e0b\u0323", U"\u1e0d\u0307"},                                  // decomposed, ordered, composed another way
      {U"a\u0301\u0315\u0300\u05ae\u0062", U"\u00e1\u05ae\u0300\u0315b"},  // NormalizationTest.txt, part 2
      {U"\u0344", U"\u0308\u0301"},                                        // excluded from composition
      {U"\u0958", U"\u0915\u093c"},                                        // script-specific exclusion
      {U"\u0301a", U"\u0301a"},                                            // a mark without a base
      {U"\u09c7\u09be", U"\u09cb"},                                        // two starters that compose
      {U"\u1100\u1161\u11a8", U"\uac01"},                                  // Hangul L V T
      {U"\uac00\u11a8", U"\uac01"},                                        // Hangul LV T
      {U"\uac01\u11a8", U"\uac01\u11a8"},                                  // LVT takes no second T
      {U"\uac00\u11a7", U"\uac00\u11a7"},                                  // T index 0 is no trailing consonant
      {U"\uf900\U0002f800", U"\u8c48\u4e3d"},                              // compatibility ideographs
      {U"a\u0328\u0301", U"\u0105\u0301"},                                 // the second mark stays
      {U"e\u0323\u0302", U"\u1ec7"},
      {U"", U""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(nfc(c.text), c.expected);
    EXPECT_EQ(nfc(nfc(c.text)), nfc(c.text));
  }
}

TEST(Nfc, EveryHangulSyllableComesBack) {
  for (char32_t c = 0xac00; c < 0xd7a4; ++c) {
    std::u32string parts;
    couplet::tokenizers::detail::append_decomposition(c, UnicodeVersion::v9, parts);
    ASSERT_GE(parts.size(), 2U);
    ASSERT_EQ(nfc(parts), std::u32string(1, c));
  }
}

TEST(Nfc, VersionsDifferInYoungMarks) {
  const std::u32string marks = U"\u1ac4\ua8c4", pair = U"\U00011935\U00011930";  // classes 220 and 9 of Unicode 14
  EXPECT_EQ(nfc(marks), U"\ua8c4\u1ac4");
  EXPECT_EQ(couplet::tokenizers::nfc(marks, UnicodeVersion::v9), marks);
  EXPECT_EQ(nfc(pair), U"\U00011938");
  EXPECT_EQ(couplet::tokenizers::nfc(pair, UnicodeVersion::v9), pair);
  EXPECT_EQ(couplet::tokenizers::nfc(U"\U00011938e\u0301", UnicodeVersion::v9), U"\U00011938\u00e9");
}

TEST(Nfc, SortsAMillionMarks) {
  std::u32string text = U"a";
  for (int k = 0; k < 500000; ++k) text += U"\u0301\u0327";  // classes 230 and 202
  const std::u32string out = nfc(text);
  ASSERT_EQ(out.size(), text.size() - 1);
  EXPECT_EQ(out.substr(0, 3), U"\u00e1\u0327\u0327");  // the first acute is not blocked by the cedillas
  EXPECT_EQ(out.back(), U'\u0301');
}

}  // namespace
