#include "couplet/tokenizers/bpe_trainer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace couplet::tokenizers;
using Merges = std::vector<ByteLevelBpe::Merge>;
using Captions = std::vector<std::string>;

Merges merges_of(const ClipTokenizer& tokenizer) {
  Merges merges;
  for (std::size_t rank = 0; rank < tokenizer.bpe().merge_count(); ++rank)
    merges.emplace_back(tokenizer.bpe().merge(rank));
  return merges;
}

TEST(BpeTrainer, JoinsByCountByHand) {
  // Words: low x5, lower x2, newest x6, widest x3 (the example of Sennrich et al., with CLIP's end of word).
  Captions captions;
  for (const auto& [word, count] : std::map<std::string, int>{{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}}) {
    for (int k = 0; k < count; ++k) captions.push_back(word);
  }
  const auto tokenizer = train_bpe(captions, {.vocab_size = 514 + 5, .min_frequency = 1});
  // e+s 9, then s+t</w> is gone: es+t</w> 9; l+o 7; then n+e, e+w, w+est</w> 6 each, of which e has the smallest id.
  EXPECT_EQ(merges_of(tokenizer), (Merges{{"e", "s"}, {"es", "t</w>"}, {"l", "o"}, {"e", "w"}, {"n", "ew"}}));
  EXPECT_EQ(tokenizer.vocab_size(), 519);
  EXPECT_EQ(tokenizer.bpe().find("es"), 512);
  EXPECT_EQ(tokenizer.eos_token_id(), 518);
  EXPECT_EQ(tokenizer.bpe().unknown(), 518);
}

TEST(BpeTrainer, BreaksTiesByTheSmallerLeftThenRightId) {
  EXPECT_EQ(merges_of(train_bpe(Captions{"dc ba bb"}, {.vocab_size = 517, .min_frequency = 1})),
            (Merges{{"b", "a</w>"}, {"b", "b</w>"}, {"d", "c</w>"}}));
}

TEST(BpeTrainer, StopsAtTheMinimumFrequencyOrTheSize) {
  const Captions captions = {"ab ab cd"};
  EXPECT_EQ(merges_of(train_bpe(captions)), (Merges{{"a", "b</w>"}}));
  EXPECT_EQ(train_bpe(captions, {.vocab_size = 514}).vocab_size(), 514);
  EXPECT_EQ(train_bpe(Captions{}).vocab_size(), 514);
  EXPECT_THROW(static_cast<void>(train_bpe(captions, {.vocab_size = 513})), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(train_bpe(captions, {.min_frequency = 0})), std::invalid_argument);
}

TEST(BpeTrainer, CountsWordsAsTheTokenizerSeesThem) {
  EXPECT_EQ(merges_of(train_bpe(Captions{"AB", "ab,", "<|endoftext|><|endoftext|>", "cafe\u0301 CAF\u00c9"})),
            merges_of(train_bpe(Captions{"ab", "ab", "caf\u00e9 caf\u00e9"})));
}

/// The definition: count all pairs anew for each merge.
Merges train_by_definition(const Captions& words, std::size_t count) {
  std::vector<std::string> tokens = byte_symbols();
  std::vector<std::vector<std::string>> parts;
  for (const std::string& word : words) {
    parts.emplace_back();
    for (std::size_t k = 0; k < word.size(); ++k)
      parts.back().push_back(std::string(1, word[k]) + (k + 1 < word.size() ? "" : "</w>"));
  }
  const auto id = [&](const std::string& text) {
    return std::find(tokens.begin(), tokens.end(), text) - tokens.begin();
  };
  Merges merges;
  while (merges.size() < count) {
    std::map<std::pair<std::ptrdiff_t, std::ptrdiff_t>, int> counts;
    for (const auto& p : parts) {
      for (std::size_t k = 0; k + 1 < p.size(); ++k) {
        if (id(p[k] + p[k + 1]) == std::ssize(tokens)) ++counts[{id(p[k]), id(p[k + 1])}];
      }
    }
    const auto best = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == counts.end()) break;
    const std::string left = tokens[static_cast<std::size_t>(best->first.first)],
                      right = tokens[static_cast<std::size_t>(best->first.second)];
    merges.emplace_back(left, right);
    tokens.push_back(left + right);
    for (auto& p : parts) {
      for (std::size_t k = 0; k + 1 < p.size(); ++k) {
        if (p[k] == left && p[k + 1] == right) p[k] += right, p.erase(p.begin() + static_cast<std::ptrdiff_t>(k) + 1);
      }
    }
  }
  return merges;
}

TEST(BpeTrainer, EqualsTheDefinitionOnRandomWords) {
  std::mt19937 random(3);
  for (int round = 0; round < 10; ++round) {
    Captions words;
    for (int k = 0; k < 60; ++k) {
      words.emplace_back();
      for (std::size_t n = 1 + random() % 12; words.back().size() < n;)
        words.back() += static_cast<char>('a' + random() % 3);
    }
    const auto tokenizer = train_bpe(words, {.vocab_size = 514 + 60, .min_frequency = 1});
    EXPECT_EQ(merges_of(tokenizer), train_by_definition(words, 60));
  }
}

TEST(BpeTrainer, DoesNotDependOnTheOrderOfCaptions) {
  Captions captions;
  for (int k = 0; k < 400; ++k)
    captions.push_back("a photo of " + std::to_string(k * 7919 % 1000) + " " +
                       std::string(static_cast<std::size_t>(1 + k % 9), 'x') + "yz cats");
  const auto first = merges_of(train_bpe(captions, {.vocab_size = 560}));
  std::shuffle(captions.begin(), captions.end(), std::mt19937(1));
  EXPECT_EQ(merges_of(train_bpe(captions, {.vocab_size = 560})), first);
  EXPECT_FALSE(first.empty());
}

TEST(BpeTrainer, EveryMergeMakesANewToken) {
  std::mt19937 random(5);
  Captions captions;
  for (int k = 0; k < 300; ++k) {
    captions.emplace_back();
    for (std::size_t n = 1 + random() % 8; captions.back().size() < n;)
      captions.back() += static_cast<char>('a' + random() % 2);
  }
  const auto tokenizer = train_bpe(captions, {.vocab_size = 700, .min_frequency = 1});  // throws if a token came twice
  std::set<std::string> texts;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id)
    EXPECT_TRUE(texts.insert(tokenizer.bpe().token(id)).second);
  // Each caption is one word that occurs: it is one token unless it was rare.
  std::vector<std::int64_t> ids;
  tokenizer.encode(captions[0], 77, ids);
  EXPECT_EQ(ids.size(), 3U);
}

TEST(BpeTrainer, LeavesOutEndlessWords) {
  EXPECT_EQ(train_bpe(Captions{std::string(257, 'a')}).vocab_size(), 514);
  EXPECT_GT(train_bpe(Captions{std::string(256, 'a')}).vocab_size(), 514);
}

}  // namespace
