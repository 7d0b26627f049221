#include "couplet/tokenizers/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using couplet::tokenizers::decode_base64;

/// RFC 4648, section 10.
TEST(Base64, DecodesTheExamplesOfTheStandard) {
  const struct {
    const char *text, *bytes;
  } cases[] = {{"", ""},
               {"Zg==", "f"},
               {"Zm8=", "fo"},
               {"Zm9v", "foo"},
               {"Zm9vYg==", "foob"},
               {"Zm9vYmE=", "fooba"},
               {"Zm9vYmFy", "foobar"},
               {"+/+/", "\xfb\xff\xbf"}};
  for (const auto& c : cases) EXPECT_EQ(decode_base64(c.text), std::string(c.bytes)) << c.text;
  EXPECT_EQ(decode_base64("AAAA"), std::string(3, '\0'));
}

TEST(Base64, RefusesEverythingElse) {
  for (const char* const text :
       {"Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z=g=", "====", "Zm9v\n", "Zm9-", "Zm9_", "Zh==", "Zm9=", " Zg="}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

}  // namespace
