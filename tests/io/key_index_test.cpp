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

TEST(KeyIndex, NamesTheFirstKeyThatRepeatsAnother) {
  const std::vector<std::string> keys = {"b", "", "a", "c", "a", "d", "b", "a"};
  const auto key_of = [&](std::size_t i) -> std::string_view { return keys[i]; };
  EXPECT_EQ(KeyIndex(keys.size(), key_of).duplicate(key_of), 4U);
}

TEST(KeyIndex, TellsKeysWithEqualHashesApart) {
  // Of 400,000 keys some 18 pairs share their 32 bits of hash.
  std::vector<std::string> keys;
  for (int i = 0; i < 400'000; ++i) keys.push_back(std::to_string(i));
  const auto key_of = [&](std::size_t i) -> std::string_view { return keys[i]; };
  const KeyIndex index(keys.size(), key_of);
  EXPECT_FALSE(index.duplicate(key_of));
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(index.find(keys[i], key_of), i);
  for (int i = 400'000; i < 500'000; ++i) ASSERT_FALSE(index.find(std::to_string(i), key_of));
}

TEST(KeyIndex, HoldsNothingWhenEmpty) {
  const auto key_of = [](std::size_t) -> std::string_view { return ""; };
  EXPECT_FALSE(KeyIndex().duplicate(key_of));
  EXPECT_FALSE(KeyIndex(0, key_of).find("", key_of));
}

}  // namespace
}  // namespace couplet::io
