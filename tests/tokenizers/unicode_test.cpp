#include "couplet/tokenizers/unicode.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "couplet/core/error.hpp"

namespace {

using namespace couplet::tokenizers;

TEST(Unicode, EveryCodePointSurvivesUtf8) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string bytes = encode_utf8(std::u32string(1, c));
    ASSERT_TRUE(valid_utf8(bytes)) << static_cast<unsigned>(c);
    ASSERT_EQ(decode_utf8(bytes), std::u32string(1, c)) << static_cast<unsigned>(c);
  }
}

TEST(Unicode, ReplacesEachMaximalIllFormedPart) {
  const struct {
    const char* bytes;
    const char32_t* expected;  // ? stands for U+FFFD
  } cases[] = {
      // The examples of The Unicode Standard, tables 3-8 to 3-11.
      {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", U"????????A"},
      {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", U"????????A"},
      {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", U"?????A??B"},
      {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", U"????A"},
      {"a\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", U"a???b?c??d"},
      {"\xe2\x82", U"?"},
      {"\xf0\x9f\x98", U"?"},
      {"\xf5\x80", U"??"},
  };
  for (const auto& c : cases) {
    std::u32string expected = c.expected;
    for (char32_t& x : expected) x = x == U'?' ? replacement_character : x;
    EXPECT_EQ(decode_utf8(c.bytes), expected) << couplet::printable(c.bytes);
    EXPECT_FALSE(valid_utf8(c.bytes));
  }
}

TEST(Unicode, TheNulCharacterIsACharacter) {
  EXPECT_EQ(decode_utf8(std::string("a\0b", 3)), std::u32string(U"a\0b", 3));
  EXPECT_TRUE(valid_utf8(std::string(1, '\0')));
}

TEST(Unicode, ThereAre25Spaces) {
  int count = 0;
  for (char32_t c = 0; c < 0x110000; ++c) count += is_space(c) ? 1 : 0;
  EXPECT_EQ(count, 25);
  for (const char32_t c : std::u32string_view(U" \t\r\u0085\u00a0\u3000"))
    EXPECT_TRUE(is_space(c)) << static_cast<unsigned>(c);
  for (const char32_t c : std::u32string_view(U"\x1c\x1f\u200b\u180e\ufeff"))
    EXPECT_FALSE(is_space(c)) << static_cast<unsigned>(c);
}

TEST(Unicode, LettersNumbersAndNeither) {
  for (const char32_t c : std::u32string_view(U"aZ\u00e9\u00aa\u03a3\u0436\u5b57\u30c6\U00020000")) {
    EXPECT_TRUE(is_letter(c) && !is_number(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c : std::u32string_view(U"09\u00b2\u00bd\u0663\u216b\u3007")) {
    EXPECT_TRUE(is_number(c) && !is_letter(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c : std::u32string_view(U"_'<\u0301\u200d\U0001f600\ufffd")) {  // marks are no letters
    EXPECT_FALSE(is_letter(c) || is_number(c)) << static_cast<unsigned>(c);
  }
}

TEST(Unicode, LowersEachCodePointAlone) {
  EXPECT_EQ(lower(U"HeLLo W\u00d6RLD 1"), U"hello w\u00f6rld 1");
  EXPECT_EQ(lower(U"\u0391\u03a3"), U"\u03b1\u03c3");  // no final sigma
  EXPECT_EQ(lower(U"\u0130"), U"i\u0307");             // the only one that grows
  EXPECT_EQ(lower(U"\u1e9e\u0100\u0101\u0178"), U"\u00df\u0101\u0101\u00ff");
  EXPECT_EQ(lower(U"\u1c89\U00010d50"), U"\u1c8a\U00010d70");  // younger than Unicode 15
  EXPECT_EQ(lower(U"\u01c5\u2160\u24b6"), U"\u01c6\u2170\u24d0");
}

}  // namespace
