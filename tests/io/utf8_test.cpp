#include "couplet/io/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace couplet::io {
namespace {

TEST(Utf8, MeasuresCharactersOfOneToFourBytes) {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb1";  // a, e acute, euro sign, cat face
  EXPECT_EQ(utf8_character(text, 0), 1U);
  EXPECT_EQ(utf8_character(text, 1), 2U);
  EXPECT_EQ(utf8_character(text, 3), 3U);
  EXPECT_EQ(utf8_character(text, 6), 4U);
  EXPECT_EQ(utf8_character(text, 10), 0U);  // the end
  EXPECT_EQ(utf8_character(text, 2), 0U);   // inside a character
}

TEST(Utf8, RefusesOverlongSurrogateCutAndOutOfRange) {
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80",
                          "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82",
                          "\xf0\x9f\x90", "\xc3(", "\xe2(\xac", "\xf0\x9f\x90("}) {
    EXPECT_EQ(utf8_character(bad, 0), 0U) << bad;
  }
}

TEST(Utf8, AcceptsTheEdgesOfEveryRange) {
  for (const char* good : {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(utf8_character(good, 0), std::string(good).size()) << good;
  }
}

}  // namespace
}  // namespace couplet::io
