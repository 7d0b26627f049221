#include "couplet/tokenizers/added_tokens.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

using couplet::tokenizers::encode_utf8;
using couplet::tokenizers::TokenCutter;
using Parts = std::vector<std::pair<std::string, std::int64_t>>;

Parts cut(const TokenCutter& cutter, std::u32string_view text, std::size_t limit = 100) {
  Parts parts;
  cutter.cut(text, [&](std::u32string_view part, std::int64_t id) {
    parts.emplace_back(encode_utf8(part), id);
    return parts.size() < limit;
  });
  return parts;
}

TEST(TokenCutter, LeavesTextWithoutTokensWhole) {
  EXPECT_EQ(cut(TokenCutter(), U"abc"), (Parts{{"abc", -1}}));
  EXPECT_EQ(cut(TokenCutter(), U""), Parts{});
}

TEST(TokenCutter, TakesTheLeftmostAndOfThoseTheLongest) {
  const TokenCutter cutter({{U"<a>", 1}, {U"<a><b>", 2}, {U"b>", 3}, {U"", 4}});
  EXPECT_EQ(cut(cutter, U"<a>"), (Parts{{"<a>", 1}}));
  EXPECT_EQ(cut(cutter, U"x<a><b>y<a>b>"), (Parts{{"x", -1}, {"<a><b>", 2}, {"y", -1}, {"<a>", 1}, {"b>", 3}}));
  EXPECT_EQ(cut(cutter, U"<<a<a"), (Parts{{"<<a<a", -1}}));
  EXPECT_EQ(cut(cutter, U"z<b"), (Parts{{"z<b", -1}}));
}

TEST(TokenCutter, StopsWhenToldTo) {
  const TokenCutter cutter({{U"!", 0}});
  EXPECT_EQ(cut(cutter, U"a!b!c", 1), (Parts{{"a", -1}}));
  EXPECT_EQ(cut(cutter, U"a!b!c", 2), (Parts{{"a", -1}, {"!", 0}}));
}

}  // namespace
