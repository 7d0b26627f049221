#include "couplet/tokenizers/clip_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace couplet::tokenizers;
using Words = std::vector<std::string>;

Words words(std::u32string_view text, std::size_t limit = 1000) {
  Words out;
  for_each_clip_word(text, [&](std::u32string_view word) {
    out.push_back(encode_utf8(word));
    return out.size() < limit;
  });
  return out;
}

TEST(ClipText, IsComposedLoweredAndSpacedOnce) {
  EXPECT_EQ(normalize_clip_text(U"  A\t\n cafe\u0301\u3000X "), U" a caf\u00e9 x ");
  EXPECT_EQ(normalize_clip_text(U"a\u001cb"), U"a\u001cb");  // no \s
  EXPECT_EQ(normalize_clip_text(U"\u0130"), U"i\u0307");     // lowered after composition
}

TEST(ClipWords, AreLettersDigitsAndTheRest) {
  EXPECT_EQ(words(U"a photo, of 12 cats!?"), (Words{"a", "photo", ",", "of", "1", "2", "cats", "!?"}));
  EXPECT_EQ(words(U" \t"), Words{});
  EXPECT_EQ(words(U"\u00e9t\u00e9_\u2603\U0001f600"), (Words{"\u00e9t\u00e9", "_\u2603\U0001f600"}));
  EXPECT_EQ(words(U"e\u0301x"), (Words{"e", "\u0301", "x"}));  // a mark is no letter
}

TEST(ClipWords, CutContractionsWhereTheyBegin) {
  EXPECT_EQ(words(U"it's we're i'll don't"), (Words{"it", "'s", "we", "'re", "i", "'ll", "don", "'t"}));
  EXPECT_EQ(words(U"'tis 'really"), (Words{"'t", "is", "'re", "ally"}));
  EXPECT_EQ(words(U"'x '"), (Words{"'", "x", "'"}));
  EXPECT_EQ(words(U"!'s"), (Words{"!'", "s"}));  // the run of signs has taken the apostrophe
}

TEST(ClipWords, TakeSpecialTextsApart) {
  EXPECT_EQ(words(U"<|endoftext|><|startoftext|>"), (Words{"<|", "endoftext", "|>", "<|", "startoftext", "|>"}));
  EXPECT_EQ(words(U"<|endoftex|>"), (Words{"<|", "endoftex", "|>"}));
  EXPECT_EQ(words(U"<|other|><|other|>"), (Words{"<|", "other", "|><|", "other", "|>"}));
  EXPECT_EQ(words(U"!<|endoftext|>"), (Words{"!<|", "endoftext", "|>"}));
}

TEST(ClipWords, StopWhenToldTo) {
  EXPECT_EQ(words(U"a b c", 2), (Words{"a", "b"}));
  EXPECT_EQ(words(U"<|endoftext|> b", 2), (Words{"<|", "endoftext"}));
}

}  // namespace
