#include "couplet/tokenizers/piece_pipeline.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/tokenizers/context_length.hpp"
#include "tokenizers/space.hpp"

namespace {

using namespace couplet::tokenizers;
using Ids = std::vector<std::int64_t>;
using Model = std::variant<WordUnigram, CharacterBpe>;

using couplet::test::mark;

PieceIds index(const std::vector<std::string>& tokens) {
  PieceIds ids;
  for (const auto& token : tokens) ids.emplace(token, static_cast<std::int32_t>(ids.size()));
  return ids;
}

Model make_unigrams(const std::vector<std::string>& tokens) {
  std::vector<std::pair<std::string_view, std::int32_t>> pieces;
  std::vector<double> scores;
  for (const std::string& token : tokens) {
    pieces.emplace_back(token, static_cast<std::int32_t>(scores.size()));
    scores.push_back(-static_cast<double>(scores.size()));
  }
  return WordUnigram(pieces, scores, {.unknown = 0}, index(tokens));
}

PiecePipeline::Parts words(bool whitespace_split) {
  return {.tokens = {"<unk>", mark, mark + "a", "a", "b", "xy"},
          .added_tokens = {{.content = "<unk>", .id = 0}, {.content = "A", .id = 3, .normalized = true}},
          .normalizer = TextNormalizer(),
          .whitespace_split = whitespace_split};
}

Ids encode(const PiecePipeline& rules, std::u32string_view text, std::size_t limit = no_limit) {
  Ids ids;
  rules.append(text, limit, ids);
  return ids;
}

TEST(PiecePipeline, CutsWordsByUnigrams) {
  const PiecePipeline rules(words(true), make_unigrams);
  EXPECT_EQ(encode(rules, U"a b"), (Ids{2, 1, 4}));
  EXPECT_EQ(encode(rules, U"  a\t\u3000\nb "), (Ids{2, 1, 4}));
  EXPECT_EQ(encode(rules, U""), Ids{});
  EXPECT_EQ(encode(rules, U" "), Ids{});
  EXPECT_EQ(encode(rules,
                   U"a\u2581"
                   U"a\u2581"),
            (Ids{2, 2, 1}));  // a mark begins a word
  EXPECT_EQ(encode(rules, U"a a a a", 1), (Ids{2, 2}));
}

TEST(PiecePipeline, WithoutWhitespaceSplitEverySpaceIsAMark) {
  const PiecePipeline rules(words(false), make_unigrams);
  EXPECT_EQ(encode(rules, U"a  b"), (Ids{2, 1, 1, 4}));
  EXPECT_EQ(encode(rules, U" a"), (Ids{2}));
  EXPECT_EQ(encode(rules, U"a\tb"), (Ids{2, 0, 4}));
}

TEST(PiecePipeline, UnknownNeighboursAreOneIdOrAPiece) {
  const PiecePipeline rules(words(true), make_unigrams);
  EXPECT_EQ(encode(rules, U"zzb q"), (Ids{1, 0, 4, 1, 0}));
  EXPECT_EQ(encode(rules, U"xy"), (Ids{1, 5}));
}

TEST(PiecePipeline, AddedTokensBeginNewParts) {
  const PiecePipeline rules(words(true), make_unigrams);
  EXPECT_EQ(encode(rules, U"a<unk>a"), (Ids{2, 0, 2}));
  EXPECT_EQ(encode(rules, U"bA"), (Ids{1, 4, 3}));
  EXPECT_EQ(rules.token(5), "xy");
  EXPECT_EQ(rules.size(), 6);
}

TEST(PiecePipeline, JoinsCharactersAcrossSpaces) {
  const PiecePipeline::Parts parts{
      .tokens = {"<unk>", mark, "a", "b", "a" + mark, "a" + mark + "b"},
      .added_tokens = {{.content = "B", .id = 0}},
      .normalizer = TextNormalizer({TextNormalizer::lowercase(), TextNormalizer::replace(" ", mark)})};
  const PiecePipeline rules(parts, [](const std::vector<std::string>& tokens) -> Model {
    return CharacterBpe({{tokens[1], 1}, {tokens[2], 2}, {tokens[3], 3}}, MergeTable({{2, 1, 0, 4}, {4, 3, 1, 5}}), {},
                        6);
  });
  EXPECT_EQ(encode(rules, U"A b"), (Ids{5}));
  EXPECT_EQ(encode(rules, U"a B"), (Ids{4, 0}));  // an added token goes before lowering
  EXPECT_EQ(encode(rules, U"  b"), (Ids{1, 1, 3}));
  EXPECT_NE(rules.describe().find("lower case"), std::string::npos);
}

}  // namespace
