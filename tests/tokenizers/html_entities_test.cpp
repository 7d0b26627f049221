#include "couplet/tokenizers/html_entities.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "couplet/tokenizers/html_unescape.hpp"

namespace {

using namespace couplet::tokenizers;

TEST(HtmlEntities, AreTheStandards) {
  const auto& table = detail::html_entity_table();
  EXPECT_EQ(table.size(), 2125U);
  EXPECT_EQ(std::count_if(table.begin(), table.end(), [](const auto& e) { return !e.needs_semicolon; }), 106);
  EXPECT_TRUE(std::is_sorted(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const auto& entity : table) {
    EXPECT_TRUE(entity.value.size() == 1 || entity.value.size() == 2) << entity.name;
    const std::u32string reference = U'&' + decode_utf8(entity.name) + U';';
    EXPECT_EQ(html_unescape(reference), entity.value) << entity.name;
    EXPECT_LE(entity.name.size(), 32U);
  }
  EXPECT_EQ(table.front().name, "AElig");
  EXPECT_EQ(table.back().name, "zwnj");
  EXPECT_EQ(table.back().value, U"\u200c");
}

}  // namespace
