#include "couplet/data/picture_names.hpp"

#include <gtest/gtest.h>

namespace couplet::data {
namespace {

TEST(PictureNames, TakesTheExtensionOfTheLastPart) {
  EXPECT_EQ(extension_of("a/b.c/d.JPeG"), "jpeg");
  EXPECT_EQ(extension_of("a.tar.gz"), "gz");
  EXPECT_EQ(extension_of("a.b/c"), "");
  EXPECT_EQ(extension_of("folder/.png"), "");
  EXPECT_EQ(extension_of("a."), "");
  EXPECT_EQ(extension_of(""), "");
}

TEST(PictureNames, KnowsTheFormatsThatCanBeDecoded) {
  for (const char* known : {"png", "jpg", "jpeg"}) EXPECT_TRUE(is_picture_extension(known));
  for (const char* other : {"", "PNG", "gif", "webp", "txt", "pngx"}) EXPECT_FALSE(is_picture_extension(other));
}

TEST(PictureNames, LowersAsciiOnly) { EXPECT_EQ(lower_ascii("A-Z\xc3\x84z"), "a-z\xc3\x84z"); }

}  // namespace
}  // namespace couplet::data
