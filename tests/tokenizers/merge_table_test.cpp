#include "couplet/tokenizers/merge_table.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

using couplet::tokenizers::MergeTable;
using Tokens = std::vector<std::int32_t>;

Tokens join(const MergeTable& table, const Tokens& ids) {
  MergeTable::Scratch scratch;
  for (const std::int32_t id : ids) scratch.push(id);
  Tokens out;
  table.join(scratch, [&out](std::int32_t id) { out.push_back(id); });
  return out;
}

TEST(MergeTable, JoinsTheLowestRankFirst) {
  const MergeTable table({{0, 1, 1, 10}, {1, 2, 0, 11}, {0, 11, 2, 12}});
  EXPECT_EQ(join(table, {0, 1, 2}), (Tokens{12}));
  EXPECT_EQ(join(table, {0, 1, 0, 1, 2}), (Tokens{10, 12}));
  EXPECT_EQ(join(table, {2, 2}), (Tokens{2, 2}));
  EXPECT_EQ(join(table, {}), Tokens{});
  EXPECT_EQ(join(MergeTable(), {0, 0}), (Tokens{0, 0}));
}

TEST(MergeTable, OfEqualRanksTheLeftmostGoesFirst) {
  EXPECT_EQ(join(MergeTable({{0, 0, 0, 1}}), {0, 0, 0}), (Tokens{1, 0}));
  EXPECT_EQ(join(MergeTable({{0, 1, 5, 8}, {1, 2, 5, 9}}), {0, 1, 2}), (Tokens{8, 2}));
}

TEST(MergeTable, IdsBeyondTheTableAreNotJoined) {
  EXPECT_EQ(join(MergeTable({{0, 1, 0, 2}}), {100, 0, 1, 2000000}), (Tokens{100, 2, 2000000}));
}

TEST(MergeTable, NamesAPairThatIsThereTwice) {
  EXPECT_FALSE(MergeTable({{0, 1, 0, 2}, {1, 0, 1, 3}}).repeated());
  EXPECT_EQ(MergeTable({{0, 1, 0, 2}, {1, 1, 1, 4}, {0, 1, 2, 3}}).repeated(), std::pair(0, 2));
}

/// Searching the whole sequence for the best pair again and again.
Tokens join_slowly(const std::vector<MergeTable::Merge>& merges, Tokens ids) {
  for (;;) {
    const MergeTable::Merge* best = nullptr;
    std::size_t place = 0;
    for (std::size_t k = 0; k + 1 < ids.size(); ++k) {
      for (const auto& merge : merges) {
        const bool fits = merge.left == ids[k] && merge.right == ids[k + 1];
        if (fits && (best == nullptr || merge.rank < best->rank)) best = &merge, place = k;
      }
    }
    if (best == nullptr) return ids;
    ids[place] = best->result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(MergeTable, EqualsTheSlowWay) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::vector<MergeTable::Merge> merges;
    std::int32_t ids = 3;
    const bool equal_ranks = round % 2 == 1;
    for (int k = 0; k < 12; ++k) {
      const auto left = static_cast<std::int32_t>(random() % static_cast<unsigned>(ids));
      const auto right = static_cast<std::int32_t>(random() % static_cast<unsigned>(ids));
      const auto same = [&](const auto& m) { return m.left == left && m.right == right; };
      if (std::any_of(merges.begin(), merges.end(), same)) continue;
      merges.push_back({left, right, static_cast<std::int32_t>(equal_ranks ? random() % 4 : merges.size()), ids++});
    }
    Tokens text(random() % 24);
    for (auto& id : text) id = static_cast<std::int32_t>(random() % 3);
    EXPECT_EQ(join(MergeTable(merges), text), join_slowly(merges, text));
  }
}

}  // namespace
