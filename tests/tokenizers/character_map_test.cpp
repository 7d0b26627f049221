#include "couplet/tokenizers/character_map.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_errors.hpp"
#include "support/sentencepiece_writer.hpp"

namespace {

using couplet::test::file_error_of;
using couplet::test::write_character_map;
using couplet::test::write_trie;
using couplet::tokenizers::CharacterMap;

std::string error_of(const std::string& bytes) {
  return file_error_of([&] { const CharacterMap map(bytes, "m"); });
}

TEST(CharacterMap, FindsTheLongestAndTheShortestMatch) {
  const CharacterMap map(write_character_map({{"a", "x"}, {"ab", "yz"}, {"abcd", ""}, {"\xef\xac\x81", "fi"}}), "m");
  EXPECT_EQ(map.longest_match("abce").replacement, "yz");
  EXPECT_EQ(map.longest_match("abce").length, 2U);
  EXPECT_EQ(map.longest_match("abcd").length, 4U);
  EXPECT_EQ(map.longest_match("abcd").replacement, "");
  EXPECT_EQ(map.shortest_match("abcd").length, 1U);
  EXPECT_EQ(map.longest_match("\xef\xac\x81!").replacement, "fi");
  EXPECT_EQ(map.longest_match("\xef\xac").length, 0U);
  EXPECT_EQ(map.longest_match("b").length, 0U);
  EXPECT_EQ(map.longest_match(std::string(1, '\0')).length, 0U);
  EXPECT_EQ(map.longest_match("").length, 0U);
}

TEST(CharacterMap, OfNothingReplacesNothing) {
  EXPECT_EQ(CharacterMap().longest_match("a").length, 0U);
  EXPECT_EQ(CharacterMap("", "m").longest_match("a").length, 0U);
}

TEST(CharacterMap, RefusesDamagedMaps) {
  const std::string z(1, '\0');
  const auto trie = write_trie({{"a", 0}, {"b", 2}});
  EXPECT_EQ(error_of(write_character_map(trie, "x" + z + "y" + z)), "");
  const struct {
    std::string bytes;
    const char* expected;
  } cases[] = {
      {"abc", "m: character map: cut off, 3 bytes"},
      {std::string(4, '\0'), "a trie of 0 bytes"},
      {write_character_map(trie, "x" + z + "y" + z).substr(0, 1000), "a trie of 4096 bytes in 996"},
      {write_character_map(std::vector<std::uint32_t>(255), "x" + z), "expected a multiple of 1024"},
      {write_character_map(trie, "x" + z + "y"), "the last replacement has no end"},
      {write_character_map(trie, ""), "the last replacement has no end"},
      {write_character_map(trie, "x" + z), "no replacement at 2"},
      {write_character_map(trie, "\xff" + z + "y" + z), "not UTF-8"},
      {write_character_map(write_trie({{"a", 1}}), "\xc3\xa9" + z), "begins inside a character"},
      {write_character_map(trie, std::string(129, 'x') + z), "more than 128 bytes"},
      {write_character_map(write_trie({{std::string(65, 'a'), 0}}), "x" + z), "a string of more than 64 bytes"},
  };
  for (const auto& c : cases) EXPECT_NE(error_of(c.bytes).find(c.expected), std::string::npos) << error_of(c.bytes);
  EXPECT_EQ(error_of(write_character_map(write_trie({{std::string(64, 'a'), 0}}), "x" + z)), "");
}

TEST(CharacterMap, RefusesTriesThatLeadAstray) {
  const std::string z(1, '\0');
  const auto with = [&](std::size_t unit, std::uint32_t value) {
    auto trie = write_trie({{"ab", 0}});
    trie[unit] = value;
    return error_of(write_character_map(trie, "x" + z));
  };
  EXPECT_NE(with(0, 0xffffffffU).find("the root of the trie is a value"), std::string::npos);
  EXPECT_NE(with(0, 0x7ffffc00U).find("the trie points out of itself"), std::string::npos);
  EXPECT_NE(with(256 + 'a', 0x7ffffe00U | 'a').find("the trie points out of itself"), std::string::npos);
  EXPECT_NE(with(256 + 'a', 0x7fffff00U | 'a').find("the trie points out of itself"), std::string::npos);
  EXPECT_NE(with(256 + 'a', static_cast<std::uint32_t>('a') << 10 | 'a').find("a string of more than"),
            std::string::npos);  // its own parent
}

/// Darts-clone shares what ends alike: nodes with several parents are walked once.
TEST(CharacterMap, WalksSharedNodesOnce) {
  std::vector<std::uint32_t> trie(512 + 256 * 64, 0);
  trie[0] = 256U << 10;
  for (std::size_t level = 1; level <= 63; ++level) {
    for (unsigned byte = 1; byte < 256; ++byte) {
      const std::size_t unit = level * 256 + byte;
      trie[unit] = static_cast<std::uint32_t>(unit ^ ((level + 1) * 256)) << 10 | byte;
    }
  }
  EXPECT_EQ(error_of(write_character_map(trie, std::string(1, '\0'))), "");  // 255^63 paths
}

}  // namespace
