#include "couplet/tokenizers/sentencepiece_normalizer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/sentencepiece_writer.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;

std::string normalized(const SentencePieceModel& model, std::string_view text) {
  std::string out = SentencePieceNormalizer(model, "m")(text);
  for (std::size_t at; (at = out.find(space_mark)) != std::string::npos;) out.replace(at, space_mark.size(), "_");
  return out;
}

TEST(SentencePieceNormalizer, SqueezesSpacesAndPutsOneInFront) {
  const SentencePieceModel model = test::small_model({});
  EXPECT_EQ(normalized(model, "a b"), "_a_b");
  EXPECT_EQ(normalized(model, "  a   b  "), "_a_b");
  EXPECT_EQ(normalized(model, ""), "");
  EXPECT_EQ(normalized(model, "   "), "");
  EXPECT_EQ(normalized(model, "\xc3\xa9\t"), "_\xc3\xa9\t");          // no map: a tab is a character
  EXPECT_EQ(normalized(model, "a" + std::string(space_mark)), "_a");  // a mark at the end goes too
}

TEST(SentencePieceNormalizer, DoesWhatTheModelSays) {
  SentencePieceModel model = test::small_model({});
  model.remove_extra_whitespaces = false;
  EXPECT_EQ(normalized(model, "  a  "), "___a__");
  model.add_dummy_prefix = false;
  EXPECT_EQ(normalized(model, " a "), "_a_");
  model.escape_whitespaces = false;
  EXPECT_EQ(normalized(model, " a "), " a ");
}

TEST(SentencePieceNormalizer, ReplacesTheLongestMatch) {
  SentencePieceModel model = test::small_model({});
  model.character_map =
      test::write_character_map({{"A", "a"}, {"AB", "x y"}, {"\t", " "}, {"\x01", ""}, {"Z", "  z "}});
  EXPECT_EQ(normalized(model, "AABA"), "_ax_ya");
  EXPECT_EQ(normalized(model, "\t A\t\tB \x01 \t"), "_a_B");
  EXPECT_EQ(normalized(model, "ZZ"), "_z_z");  // spaces of replacements are squeezed too
  EXPECT_EQ(normalized(model, "\x01"), "");
}

TEST(SentencePieceNormalizer, CopiesUserDefinedPieces) {
  SentencePieceModel model = test::small_model({});
  model.character_map = test::write_character_map({{"A", "a"}});
  model.pieces.push_back({"AA", 0, test::PieceType::user_defined});
  EXPECT_EQ(normalized(model, "AAA"), "_AAa");
}

TEST(SentencePieceNormalizer, KnowsTheLengthOfCharacters) {
  EXPECT_EQ(character_bytes('a'), 1U);
  EXPECT_EQ(character_bytes('\xc3'), 2U);
  EXPECT_EQ(character_bytes('\xe2'), 3U);
  EXPECT_EQ(character_bytes('\xf0'), 4U);
}

}  // namespace
