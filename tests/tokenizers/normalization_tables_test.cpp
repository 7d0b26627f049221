#include "couplet/tokenizers/normalization_tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "couplet/tokenizers/normalization.hpp"

namespace {

using namespace couplet::tokenizers;

TEST(NormalizationTables, AreSorted) {
  const auto ascending = [](const auto& table, auto key) {
    return std::adjacent_find(std::begin(table), std::end(table),
                              [key](const auto& a, const auto& b) { return key(a) >= key(b); }) == std::end(table);
  };
  EXPECT_TRUE(ascending(detail::single_runs, [](const auto& e) { return e.first; }));
  EXPECT_TRUE(ascending(detail::pair_decompositions, [](const auto& e) { return e.code; }));
  EXPECT_TRUE(ascending(detail::composition_exclusions, [](const auto& e) { return e; }));
  EXPECT_TRUE(ascending(detail::combining_ranges, [](const auto& e) { return e.first; }));
}

TEST(NormalizationTables, RunsCoverTheirTargets) {
  std::size_t sum = 0;
  for (const auto& run : detail::single_runs) sum += run.count;
  EXPECT_EQ(sum, std::size(detail::single_targets));
}

TEST(NormalizationTables, PairsComposeBackUnlessExcluded) {
  for (const auto& pair : detail::pair_decompositions) {
    const bool excluded = std::binary_search(std::begin(detail::composition_exclusions),
                                             std::end(detail::composition_exclusions), pair.code);
    const std::u32string composed = nfc(std::u32string(1, pair.code), UnicodeVersion::v14);
    EXPECT_EQ(composed == std::u32string(1, pair.code), !excluded) << std::hex << pair.code;
    std::u32string second;
    detail::append_decomposition(pair.second, UnicodeVersion::v14, second);
    EXPECT_EQ(second, std::u32string(1, pair.second)) << "second halves do not decompose: " << std::hex << pair.code;
  }
}

}  // namespace
