#include "couplet/tokenizers/text_normalizer.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/sentencepiece_writer.hpp"

namespace {

using namespace couplet::tokenizers;
using couplet::test::write_character_map;

TextNormalizer only(TextNormalizer::Step step) { return TextNormalizer({std::move(step)}); }

TEST(TextNormalizer, TakesItsStepsInOrder) {
  const TextNormalizer lower_first({TextNormalizer::lowercase(), TextNormalizer::replace("a", "X")});
  const TextNormalizer lower_last({TextNormalizer::replace("a", "X"), TextNormalizer::lowercase()});
  EXPECT_EQ(lower_first("Aa"), "XX");
  EXPECT_EQ(lower_last("Aa"), "ax");
  EXPECT_EQ(TextNormalizer()("Aa "), "Aa ");
  EXPECT_TRUE(lower_first.has(TextNormalizer::Step::Kind::lowercase));
  EXPECT_FALSE(lower_first.has(TextNormalizer::Step::Kind::strip));
}

TEST(TextNormalizer, LowersEachCodePointAlone) {
  EXPECT_EQ(only(TextNormalizer::lowercase())("\u0391\u03a3 \u0130"), "\u03b1\u03c3 i\u0307");
}

TEST(TextNormalizer, ReplacesEveryOccurrence) {
  const auto marks = only(TextNormalizer::replace(" ", "\u2581"));
  EXPECT_EQ(marks("  a b "),
            "\u2581\u2581"
            "a\u2581"
            "b\u2581");
  EXPECT_EQ(only(TextNormalizer::replace("aa", ""))("aaa"), "a");
  EXPECT_EQ(marks(""), "");
}

TEST(TextNormalizer, ReplacesRunsOfSpaces) {
  const auto spaces = only(TextNormalizer::replace_spaces("_"));
  EXPECT_EQ(spaces("  a b   c  "), "_a b_c_");
  EXPECT_EQ(spaces(" \t  "), " \t_");
  EXPECT_EQ(spaces(""), "");
}

TEST(TextNormalizer, StripsTheEnds) {
  const std::string text = " \u3000\t a \u2003";
  EXPECT_EQ(only(TextNormalizer::strip(true, true))(text), "a");
  EXPECT_EQ(only(TextNormalizer::strip(false, true))(text), " \u3000\t a");
  EXPECT_EQ(only(TextNormalizer::strip(true, false))(text), "a \u2003");
  EXPECT_EQ(only(TextNormalizer::strip(true, true))("  "), "");
}

/// tokenizers replaces a whole cluster of less than six bytes, SentencePiece the longest string (see there).
TEST(TextNormalizer, ReplacesGraphemeClusters) {
  const auto map = only(TextNormalizer::precompiled(std::make_shared<const CharacterMap>(
      write_character_map(
          {{"e\u0301", "\u00e9"}, {"A", "a"}, {"AB", "xx"}, {"\u00b2", "2"}, {"\u304b\u3099", "\u304c"}}),
      "m")));
  EXPECT_EQ(map("e\u0301"), "\u00e9");
  EXPECT_EQ(map("e\u0301\u0327"), "\u00e9");                     // five bytes: the second mark goes with it
  EXPECT_EQ(map("e\u0301\u0327\u0327"), "e\u0301\u0327\u0327");  // seven
  EXPECT_EQ(map("\u304b\u3099"), "\u304b\u3099");                // six
  EXPECT_EQ(map("A\u0301!"), "a!");
  EXPECT_EQ(map("A\u0301\u0301\u0301"), "a\u0301\u0301\u0301");
  EXPECT_EQ(map("AB"), "aB");  // two clusters
  EXPECT_EQ(map("\u00b2\u200d"), "2");
  EXPECT_EQ(map("\n\u0301"), "\n\u0301");  // nothing joins a control character
  EXPECT_EQ(map(""), "");
}

}  // namespace
