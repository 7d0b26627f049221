#include "couplet/tokenizers/unigram.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using couplet::tokenizers::Unigram;
using Pieces = std::vector<std::pair<std::int32_t, std::string>>;

template <class Score>
Pieces segment(const Unigram<Score>& unigram, std::string_view text) {
  Pieces pieces;
  typename Unigram<Score>::Scratch scratch;
  unigram.segment(text, scratch, [&](std::int32_t id, std::string_view part) { pieces.emplace_back(id, part); });
  return pieces;
}

TEST(Unigram, TakesThePathOfTheLargestSum) {
  const Unigram<float> unigram({{"a", 0}, {"b", 1}, {"ab", 2}, {"abc", 3}, {"c", 4}}, {-1, -1, -1.5F, -9, -2}, 5, -20);
  EXPECT_EQ(segment(unigram, "abc"), (Pieces{{2, "ab"}, {4, "c"}}));
  EXPECT_EQ(segment(unigram, "ba"), (Pieces{{1, "b"}, {0, "a"}}));
  EXPECT_EQ(segment(unigram, ""), Pieces{});
}

TEST(Unigram, UnknownCharactersAreWhole) {
  const Unigram<float> unigram({{"a", 0}, {"\xc3\xa9z", 1}}, {-1, -1}, 2, -20);
  EXPECT_EQ(segment(unigram, "a\xe2\x82\xac\xf0\x9f\x98\x80"),
            (Pieces{{0, "a"}, {2, "\xe2\x82\xac"}, {2, "\xf0\x9f\x98\x80"}}));
  EXPECT_EQ(segment(unigram, "\xc3\xa9z\xc3\xa9"), (Pieces{{1, "\xc3\xa9z"}, {2, "\xc3\xa9"}}));
}

/// A later path must be strictly better: of "aa" + "a" and "a" + "aa" the one that reaches the end first stays.
TEST(Unigram, OfEqualPathsTheFirstStays) {
  const Unigram<float> unigram({{"a", 0}, {"aa", 1}}, {-1, -1}, 2, -20);
  EXPECT_EQ(segment(unigram, "aaa"), (Pieces{{0, "a"}, {1, "aa"}}));
}

/// 16777216 + 1 is 16777216 in float: the sums of float and double differ, and so do the paths.
TEST(Unigram, SumsInItsOwnType) {
  const std::vector<std::pair<std::string_view, std::int32_t>> pieces{{"x", 0}, {"a", 1}, {"b", 2}, {"ab", 3}};
  const Unigram<float> single(pieces, {16777216.0F, 1, 1, 1}, 4, -20);
  const Unigram<double> twice(pieces, {16777216.0, 1, 1, 1}, 4, -20);
  EXPECT_EQ(segment(single, "xab").size(), 2U);
  EXPECT_EQ(segment(twice, "xab").size(), 3U);
}

/// Best sum of all segmentations of text[at..], added up from the left as the original does.
template <class Score>
void best_sum(const std::vector<std::pair<std::string, Score>>& pieces, std::string_view text, Score unknown_score,
              Score sum, Score& best, bool& any) {
  if (text.empty()) {
    if (!any || sum > best) best = sum;
    any = true;
    return;
  }
  bool single = false;
  for (const auto& [piece, score] : pieces) {
    if (!text.starts_with(piece)) continue;
    single = single || piece.size() == 1;
    best_sum(pieces, text.substr(piece.size()), unknown_score, static_cast<Score>(sum + score), best, any);
  }
  if (!single) best_sum(pieces, text.substr(1), unknown_score, static_cast<Score>(sum + unknown_score), best, any);
}

template <class Score>
void expect_best_sums(unsigned seed) {
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<std::string, Score>> pieces;
    for (const char* const text :
         {"a", "b", "c", "aa", "ab", "ba", "bc", "aab", "aba", "cab", "abca", "bbbb", "abcabc"}) {
      const Score score = -static_cast<Score>(random() % 64) / static_cast<Score>(random() % 2 == 0 ? 8 : 7);
      if (random() % 3 != 0) pieces.emplace_back(text, score);
    }
    std::vector<std::pair<std::string_view, std::int32_t>> found;
    std::vector<Score> scores;
    for (const auto& [text, score] : pieces) {
      found.emplace_back(text, static_cast<std::int32_t>(scores.size()));
      scores.push_back(score);
    }
    const auto unknown = static_cast<std::int32_t>(scores.size());
    const Unigram<Score> unigram(found, scores, unknown, Score(-20));
    std::string text(1 + random() % 10, ' ');
    for (char& c : text) c = "abcd"[random() % 4];
    Score best = 0, sum = 0;
    bool any = false;
    best_sum(pieces, text, Score(-20), Score(0), best, any);
    std::string joined;
    for (const auto& [id, part] : segment(unigram, text)) {
      sum = static_cast<Score>(sum + (id == unknown ? Score(-20) : scores[static_cast<std::size_t>(id)]));
      EXPECT_TRUE(id == unknown || part == pieces[static_cast<std::size_t>(id)].first);
      joined += part;
    }
    EXPECT_EQ(joined, text);
    EXPECT_EQ(sum, best) << text;
  }
}

TEST(Unigram, NoSegmentationHasALargerSum) {
  expect_best_sums<float>(11);
  expect_best_sums<double>(12);
}

}  // namespace
