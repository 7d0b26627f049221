#include "couplet/tokenizers/open_clip_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace couplet::tokenizers;
using Words = std::vector<std::string>;

TEST(PythonLower, KnowsTheFinalSigma) {
  EXPECT_EQ(python_lower(U"\u039f\u0394\u039f\u03a3 \u03a3\u0391\u03a3"),
            U"\u03bf\u03b4\u03bf\u03c2 \u03c3\u03b1\u03c2");
  EXPECT_EQ(python_lower(U"\u03a3"), U"\u03c3");      // nothing before
  EXPECT_EQ(python_lower(U"A\u03a3'"), U"a\u03c2'");  // the apostrophe is looked past
  EXPECT_EQ(python_lower(U"A'\u03a3'b"), U"a'\u03c3'b");
  EXPECT_EQ(python_lower(U"1\u03a3"), U"1\u03c3");             // a digit is not cased
  EXPECT_EQ(python_lower(U"\u0130\u1c89"), U"i\u0307\u1c89");  // younger than Unicode 14
}

TEST(CleanOpenClipText, RepairsSplitsAndLowers) {
  const auto clean = [](const char32_t* text, OpenClipClean how) {
    return encode_utf8(clean_open_clip_text(text, how));
  };
  EXPECT_EQ(clean(U"  A\tCat\u001c &amp;lt; \u201cX_y\u201d ", OpenClipClean::lower), "a cat < \"x_y\"");
  EXPECT_EQ(clean(U"  A\tCat\u001c &amp;lt; \u201cX_y\u201d! - z", OpenClipClean::canonicalize), "a cat x y z");
  EXPECT_EQ(clean(U"  A\tCat\u001c ", OpenClipClean::whitespace), "A Cat");
  EXPECT_EQ(clean(U"!!", OpenClipClean::canonicalize), "");
  EXPECT_EQ(clean(U"a . b", OpenClipClean::canonicalize), "a b");
}

Words open_clip_words(std::u32string_view text) {
  Words out;
  for_each_open_clip_word(text, U"<start_of_text>", U"<end_of_text>", [&](std::u32string_view word) {
    out.push_back(encode_utf8(word));
    return true;
  });
  return out;
}

TEST(OpenClipWords, IgnoreCase) {
  EXPECT_EQ(open_clip_words(U"IT'S don'T we'Re"), (Words{"IT", "'S", "don", "'T", "we", "'Re"}));
  EXPECT_EQ(open_clip_words(U"it'\u017f x"), (Words{"it", "'\u017f", "x"}));  // the long s is an s
  EXPECT_EQ(open_clip_words(U"<START_OF_TEXT><end_of_text>"), (Words{"<START_OF_TEXT>", "<end_of_text>"}));
  EXPECT_EQ(open_clip_words(U"!<end_of_text>"), (Words{"!<", "end", "_", "of", "_", "text", ">"}));
  EXPECT_EQ(open_clip_words(U"a\u0345b!\u0345?"), (Words{"a", "b", "!", "?"}));  // matched by nothing
  EXPECT_EQ(open_clip_words(U"12 \u00bd caf\u00e9"), (Words{"1", "2", "\u00bd", "caf\u00e9"}));
}

TEST(OpenClipWords, StopWhenToldTo) {
  int count = 0;
  for_each_open_clip_word(U"a b c", U"<s>", U"<e>", [&](std::u32string_view) { return ++count < 2; });
  EXPECT_EQ(count, 2);
}

}  // namespace
