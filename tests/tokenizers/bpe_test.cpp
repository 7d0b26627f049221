#include "couplet/tokenizers/bpe.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "couplet/tokenizers/bpe_files.hpp"
#include "support/file_errors.hpp"

namespace {

using namespace couplet::tokenizers;
using couplet::test::file_error_of;
using Merges = std::vector<ByteLevelBpe::Merge>;

std::vector<std::int64_t> encode(const ByteLevelBpe& bpe, const std::string& word) {
  ByteLevelBpe::Scratch scratch;
  std::vector<std::int64_t> ids;
  bpe.encode_word(word, scratch, ids);
  return ids;
}

TEST(ByteSymbols, AreClips) {
  const auto symbols = byte_symbols();
  ASSERT_EQ(symbols.size(), 512U);
  EXPECT_EQ(symbols[0], "!");
  EXPECT_EQ(symbols[64], "a");
  EXPECT_EQ(symbols[93], "~");
  EXPECT_EQ(symbols[94], "\u00a1");
  EXPECT_EQ(symbols[320], "a</w>");
  EXPECT_EQ(symbols[188], "\u0100");  // byte 0
  EXPECT_EQ(symbols[220], "\u0120");  // the space
  EXPECT_EQ(symbols[255], "\u0143");  // byte 173
}

TEST(ByteLevelBpe, JoinsTheLowestRankFirst) {
  const Merges merges = {{"b", "c"}, {"a", "b"}, {"a", "bc"}, {"abc", "d</w>"}};
  const ByteLevelBpe bpe(clip_layout(merges), merges, -1);
  EXPECT_EQ(encode(bpe, "abcd"), (std::vector<std::int64_t>{515}));
  EXPECT_EQ(encode(bpe, "abd"), (std::vector<std::int64_t>{513, 256 + 67}));
  EXPECT_EQ(encode(bpe, "a"), (std::vector<std::int64_t>{320}));
  EXPECT_EQ(encode(bpe, ""), (std::vector<std::int64_t>{}));
}

TEST(ByteLevelBpe, JoinsTheLeftmostOfEqualsFirst) {
  const Merges merges = {{"a", "a"}, {"aa", "a</w>"}};
  const ByteLevelBpe bpe(clip_layout(merges), merges, -1);
  EXPECT_EQ(encode(bpe, "aaa"), (std::vector<std::int64_t>{513}));
  EXPECT_EQ(encode(bpe, "aaaa"), (std::vector<std::int64_t>{512, 64, 320}));
  EXPECT_EQ(encode(bpe, "aaaaa"), (std::vector<std::int64_t>{512, 513}));
}

TEST(ByteLevelBpe, SymbolsOutsideTheVocabularyAreUnknownOrLeftOut) {
  const std::vector<std::string> tokens = {"a", "b</w>", "?", "ab</w>"};
  const ByteLevelBpe with(tokens, {{"a", "b</w>"}}, 2), without(tokens, {{"a", "b</w>"}}, -1);
  EXPECT_EQ(encode(with, "axb"), (std::vector<std::int64_t>{0, 2, 1}));
  EXPECT_EQ(encode(with, "bba"), (std::vector<std::int64_t>{2, 2, 2}));
  EXPECT_EQ(encode(without, "axb"), (std::vector<std::int64_t>{3}));
  EXPECT_EQ(encode(without, "xyz"), (std::vector<std::int64_t>{}));
}

/// The definition, word by word: join the pair of lowest rank, leftmost first, until none is left.
std::vector<std::int64_t> encode_by_definition(const ByteLevelBpe& bpe, const Merges& merges, const std::string& word) {
  std::vector<std::string> parts;
  for (std::size_t k = 0; k < word.size(); ++k)
    parts.push_back(std::string(1, word[k]) + (k + 1 < word.size() ? "" : "</w>"));
  for (;;) {
    std::size_t best = merges.size(), where = 0;
    for (std::size_t k = 0; k + 1 < parts.size(); ++k) {
      for (std::size_t rank = 0; rank < best; ++rank) {
        if (merges[rank] == ByteLevelBpe::Merge{parts[k], parts[k + 1]}) best = rank, where = k;
      }
    }
    if (best == merges.size()) break;
    parts[where] += parts[where + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
  std::vector<std::int64_t> ids;
  for (const auto& part : parts) ids.push_back(bpe.find(part));
  return ids;
}

TEST(ByteLevelBpe, EqualsTheDefinitionOnRandomVocabularies) {
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    // Random joins of what is there, in random order: ranks need not ascend with length.
    std::vector<std::string> tokens = {"a", "b", "c", "a</w>", "b</w>", "c</w>"};
    Merges merges;
    while (merges.size() < 25) {
      const std::string& left = tokens[random() % tokens.size()];
      const std::string& right = tokens[random() % tokens.size()];
      if (left.ends_with("</w>") || std::count(tokens.begin(), tokens.end(), left + right) > 0) continue;
      merges.emplace_back(left, right);
      tokens.push_back(merges.back().first + merges.back().second);
    }
    std::shuffle(merges.begin(), merges.end(), random);
    const ByteLevelBpe bpe(tokens, merges, -1);
    for (int k = 0; k < 50; ++k) {
      std::string word;
      for (std::size_t n = 1 + random() % 40; word.size() < n;) word += static_cast<char>('a' + random() % 3);
      ASSERT_EQ(encode(bpe, word), encode_by_definition(bpe, merges, word)) << word;
    }
  }
}

TEST(ByteLevelBpe, RefusesVocabulariesThatAreNotOne) {
  const auto error = [](std::vector<std::string> tokens, const Merges& merges) {
    return file_error_of([&] { ByteLevelBpe(std::move(tokens), merges, -1, "v.json", "m.txt"); });
  };
  EXPECT_EQ(error({"a", "b", "ab"}, {{"a", "b"}}), "");
  EXPECT_NE(error({}, {}).find("v.json: expected 1 to"), std::string::npos);
  EXPECT_NE(error({"a", ""}, {}).find("token 1 \"\""), std::string::npos);
  EXPECT_NE(error({"a", "b", "a"}, {}).find("token 2 \"a\": the same text"), std::string::npos);
  EXPECT_NE(error({"\xff"}, {}).find("not UTF-8"), std::string::npos);
  EXPECT_NE(error({std::string(5000, 'x')}, {}).find("longer than"), std::string::npos);
  EXPECT_EQ(error({"a"}, {{"q", "a"}}), "m.txt: merge 0 \"q a\": the left half is not in the vocabulary");
  EXPECT_EQ(error({"a"}, {{"a", "q"}}), "m.txt: merge 0 \"a q\": the right half is not in the vocabulary");
  EXPECT_EQ(error({"a"}, {{"a", "a"}}), "m.txt: merge 0 \"a a\": \"aa\" is not in the vocabulary");
  EXPECT_EQ(error({"a", "aa"}, {{"a", "a"}, {"a", "a"}}), "m.txt: merge 1: the same as merge 0");
  EXPECT_THROW(ByteLevelBpe({"a"}, {}, 1), std::invalid_argument);
}

}  // namespace
