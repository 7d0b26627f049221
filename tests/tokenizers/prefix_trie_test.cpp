#include "couplet/tokenizers/prefix_trie.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using couplet::tokenizers::PrefixTrie;
using Found = std::vector<std::pair<std::size_t, std::int32_t>>;

template <class Char>
Found prefixes(const PrefixTrie<Char>& trie, std::basic_string_view<Char> text) {
  Found found;
  trie.for_each_prefix(text, [&](std::size_t length, std::int32_t id) { found.emplace_back(length, id); });
  return found;
}

TEST(PrefixTrie, FindsAllPrefixesShortestFirst) {
  const PrefixTrie<char> trie({{"abc", 3}, {"a", 7}, {"ab\xff", 5}, {"b", 0}, {"", 9}, {"a", 8}});
  EXPECT_EQ(prefixes<char>(trie, "abcd"), (Found{{1, 7}, {3, 3}}));
  EXPECT_EQ(prefixes<char>(trie, "ab\xff"), (Found{{1, 7}, {3, 5}}));
  EXPECT_EQ(prefixes<char>(trie, "ab"), (Found{{1, 7}}));
  EXPECT_EQ(prefixes<char>(trie, "cab"), Found{});
  EXPECT_EQ(prefixes<char>(trie, ""), Found{});
  EXPECT_EQ(trie.longest_prefix("abc").id, 3);
  EXPECT_EQ(trie.longest_prefix("abx").length, 1U);
  EXPECT_EQ(trie.longest_prefix("x").length, 0U);
}

TEST(PrefixTrie, OfNothingFindsNothing) {
  EXPECT_TRUE(PrefixTrie<char>().empty());
  EXPECT_EQ(prefixes<char>(PrefixTrie<char>(), "a"), Found{});
  EXPECT_EQ(prefixes<char32_t>(PrefixTrie<char32_t>({{U"", 1}}), U"a"), Found{});
}

TEST(PrefixTrie, EqualsASearchThroughTheList) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> words(random() % 30);
    for (std::string& word : words) {
      word.resize(1 + random() % 5);
      for (char& c : word) c = "ab\x80\xff"[random() % 4];
    }
    std::vector<std::pair<std::string_view, std::int32_t>> pairs;
    for (const std::string& word : words) pairs.emplace_back(word, static_cast<std::int32_t>(pairs.size()));
    const PrefixTrie<char> trie(pairs);
    std::string text(random() % 8, ' ');
    for (char& c : text) c = "ab\x80\xff"[random() % 4];
    Found expected;
    for (std::size_t n = 1; n <= text.size(); ++n) {
      const auto at = std::find(words.begin(), words.end(), text.substr(0, n));
      if (at != words.end()) expected.emplace_back(n, static_cast<std::int32_t>(at - words.begin()));
    }
    EXPECT_EQ(prefixes<char>(trie, text), expected);
  }
}

}  // namespace
