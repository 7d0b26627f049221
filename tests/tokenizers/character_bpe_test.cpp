#include "couplet/tokenizers/character_bpe.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace couplet::tokenizers;
using Ids = std::vector<std::int64_t>;

Ids encode(const CharacterBpe& bpe, std::string_view text) {
  Ids ids;
  CharacterBpe::Scratch scratch;
  bpe.encode(text, scratch, ids);
  return ids;
}

ByteIds bytes_from(std::int32_t first) {
  ByteIds ids{};
  for (std::int32_t byte = 0; byte < 256; ++byte) ids[static_cast<std::size_t>(byte)] = first + byte;
  return ids;
}

TEST(CharacterBpe, JoinsCharacters) {
  const CharacterBpe bpe({{"a", 1}, {"\xc3\xa9", 2}}, MergeTable({{1, 2, 0, 3}}), {.unknown = 0}, 2000);
  EXPECT_EQ(encode(bpe,
                   "a\xc3\xa9"
                   "a"),
            (Ids{3, 1}));
  EXPECT_EQ(encode(bpe, ""), Ids{});
}

TEST(CharacterBpe, UnknownNeighboursAreOneId) {
  const CharacterBpe bpe({{"a", 1}}, MergeTable(), {.unknown = 0}, 2000);
  EXPECT_EQ(encode(bpe, "xyaz\xe2\x82\xac"), (Ids{0, 1, 0}));
}

TEST(CharacterBpe, FallsBackToBytes) {
  const CharacterBpe bpe({{"a", 1}}, MergeTable(), {.unknown = 0, .bytes = bytes_from(1000)}, 2000);
  EXPECT_EQ(encode(bpe, "a\xe2\x82\xac\x41"), (Ids{1, 1000 + 0xe2, 1000 + 0x82, 1000 + 0xac, 1000 + 0x41}));
}

/// "x" is no piece, but part of one.
TEST(CharacterBpe, InnerSymbolsJoinAndFallBack) {
  const CharacterBpe bytes({{"a", 1}, {"x", 2000}}, MergeTable({{1, 2000, 0, 2}}), {.bytes = bytes_from(1000)}, 2000);
  EXPECT_EQ(encode(bytes, "axx"), (Ids{2, 1000 + 'x'}));
  const CharacterBpe none({{"a", 1}, {"x", 2000}}, MergeTable({{1, 2000, 0, 2}}), {.unknown = 0}, 2000);
  EXPECT_EQ(encode(none, "axxyx"), (Ids{2, 0}));
}

TEST(CharacterBpe, LongerSymbolsAreAtoms) {
  const CharacterBpe bpe({{"a", 1}, {"b", 2}, {"ab", 5}, {"abc", 6}}, MergeTable({{1, 2, 0, 3}}), {.unknown = 0}, 2000);
  EXPECT_EQ(encode(bpe, "aabbabc"), (Ids{1, 5, 2, 6}));
}

TEST(CharacterBpe, MakesTheMergesThatPiecesStandFor) {
  const PieceIds halves{{"a", 0}, {"b", 1}, {"ab", 2}, {"ba", 3}, {"\xc3\xa9", 5}, {"\xc3\xa9\xc3\xa9", 6}};
  const auto merges = merges_of_pieces({{"ab", 2}, {"aba", 4}, {"\xc3\xa9\xc3\xa9", 6}, {"xy", 7}}, halves);
  ASSERT_EQ(merges.size(), 4U);
  const std::int32_t expected[][3] = {{0, 1, 2}, {0, 3, 4}, {2, 0, 4}, {5, 5, 6}};
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_EQ(merges[k].left, expected[k][0]);
    EXPECT_EQ(merges[k].right, expected[k][1]);
    EXPECT_EQ(merges[k].result, expected[k][2]);
    EXPECT_EQ(merges[k].rank, static_cast<std::int32_t>(k));
  }
}

TEST(CharacterBpe, FindsThePiecesOfAllBytes) {
  std::vector<std::string> texts;
  PieceIds ids;
  for (unsigned byte = 0; byte < 256; ++byte) texts.push_back(byte_piece(byte));
  for (std::size_t k = 0; k < 255; ++k) ids.emplace(texts[k], static_cast<std::int32_t>(k + 7));
  EXPECT_FALSE(find_byte_pieces(ids));
  ids.emplace(texts[255], 3);
  EXPECT_EQ(find_byte_pieces(ids)->at(255), 3);
  EXPECT_EQ(find_byte_pieces(ids)->at(0), 7);
}

}  // namespace
