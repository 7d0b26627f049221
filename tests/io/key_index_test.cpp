#include "couplet/io/key_index.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace couplet::io {
namespace {

TEST(KeyIndex, FindsEveryKeyAndNoOther) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back(std::to_string(i * 7919 % 1000));
  const auto key_of = [&](std::size_t i) -> std::string_view { return keys[i]; };
  const KeyIndex index(keys.size(), key_of);
  EXPECT_FALSE(index.duplicate(key_of));
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(index.find(keys[i], key_of), i);
  for (const char* other : {"", "1000", "-1", "99a", "zzz"}) EXPECT_FALSE(index.find(other, key_of)) << other;
}

TEST(KeyIndex, NamesTheSecondOfTwoEqualKeys) {
  const std::vector<std::string> keys = {"b", "", "a", "c", "a", "d"};
  const auto key_of = [&](std::size_t i) -> std::string_view { return keys[i]; };
  EXPECT_EQ(KeyIndex(keys.size(), key_of).duplicate(key_of), 4U);
}

TEST(KeyIndex, HoldsNothingWhenEmpty) {
  const auto key_of = [](std::size_t) -> std::string_view { return ""; };
  EXPECT_FALSE(KeyIndex().duplicate(key_of));
  EXPECT_FALSE(KeyIndex(0, key_of).find("", key_of));
}

}  // namespace
}  // namespace couplet::io
