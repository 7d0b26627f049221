#include "couplet/tokenizers/unicode_tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "couplet/tokenizers/unicode.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet::tokenizers;
using couplet::io::Json;
constexpr std::size_t code_points = 0x110000;

template <std::size_t N>
void expect_ascending_pairs(const std::uint32_t (&edges)[N]) {
  EXPECT_EQ(N % 2, 0U);
  EXPECT_TRUE(std::adjacent_find(std::begin(edges), std::end(edges), std::greater_equal<>()) == std::end(edges));
}

TEST(UnicodeTables, EdgesAscendInPairs) {
  expect_ascending_pairs(detail::letter_edges);
  expect_ascending_pairs(detail::number_edges);
}

TEST(UnicodeTables, LowerRunsAscendAndEndOnTheirStride) {
  std::int32_t last = -1;
  for (const detail::LowerRun& run : detail::lower_runs) {
    EXPECT_GT(run.first, last);
    EXPECT_EQ((run.last - run.first) % run.stride, 0);
    last = run.last;
  }
}

void set_ranges(const Json& ranges, bool value, std::vector<bool>& members) {
  for (const Json& range : ranges.items()) {
    for (auto c = range.items()[0].as_integer(); c <= range.items()[1].as_integer(); ++c) {
      members[static_cast<std::size_t>(c)] = value;
    }
  }
}

/// What the tokenizers library takes for a member: the regex module's members less the difference.
std::vector<bool> golden_class(const Json& classes, const char* name) {
  std::vector<bool> members(code_points);
  const Json& c = *classes.find(name);
  set_ranges(*c.find("regex"), true, members);
  set_ranges(*c.find("regex_minus_tokenizers"), false, members);
  set_ranges(*c.find("tokenizers_minus_regex"), true, members);
  return members;
}

TEST(UnicodeTables, AgreeWithTheReferenceOnEveryCodePoint) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const std::string path = couplet::test::golden_tokenizers() + "/charclass.json";
  const Json classes = Json::parse(couplet::io::read_file(path, 1 << 24), path);
  const auto letters = golden_class(classes, "letter"), numbers = golden_class(classes, "number");
  const auto spaces = golden_class(classes, "space");
  std::vector<std::string> lowered(code_points);
  for (const char* const key : {"str_lower", "str_lower_vs_tokenizers"}) {  // the second overrides the first
    for (const Json& entry : classes.find("lower")->find(key)->items()) {
      lowered[static_cast<std::size_t>(entry.items()[0].as_integer())] = entry.items().back().as_string();
    }
  }
  for (std::size_t k = 0; k < code_points; ++k) {
    const auto c = static_cast<char32_t>(k);
    if (c >= 0xd800 && c < 0xe000) continue;
    ASSERT_EQ(is_letter(c), letters[k]) << std::hex << k;
    ASSERT_EQ(is_number(c), numbers[k]) << std::hex << k;
    ASSERT_EQ(is_space(c), spaces[k]) << std::hex << k;
    const std::string expected = lowered[k].empty() ? encode_utf8(std::u32string(1, c)) : lowered[k];
    ASSERT_EQ(encode_utf8(lower(std::u32string(1, c))), expected) << std::hex << k;
  }
}

}  // namespace
