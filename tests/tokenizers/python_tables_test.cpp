#include "couplet/tokenizers/python_tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "couplet/tokenizers/open_clip_text.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet::tokenizers;
using couplet::io::Json;

TEST(PythonTables, EdgesAscendInPairs) {
  const auto check = [](const auto& edges) {
    EXPECT_EQ(std::size(edges) % 2, 0U);
    EXPECT_TRUE(std::is_sorted(std::begin(edges), std::end(edges)));
  };
  check(detail::regex_letter_edges);
  check(detail::regex_number_edges);
  check(detail::python_unlowered_edges);
  check(detail::cased_edges);
  check(detail::case_ignorable_edges);
}

TEST(PythonTables, AgreeWithPythonOnEveryCodePoint) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const std::string path = couplet::test::golden_tokenizers() + "/charclass.json";
  const Json classes = Json::parse(couplet::io::read_file(path, 1 << 24), path);
  const auto members = [&classes](const char* name) {
    std::vector<bool> in(0x110000);
    for (const Json& range : classes.find(name)->find("regex")->items()) {
      for (auto c = range.items()[0].as_integer(); c <= range.items()[1].as_integer(); ++c)
        in[static_cast<std::size_t>(c)] = true;
    }
    return in;
  };
  const auto letters = members("letter"), numbers = members("number");
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const auto found = detail::regex_class(c);
    ASSERT_EQ(found == detail::CharacterClass::letter, letters[c]) << std::hex << static_cast<unsigned>(c);
    ASSERT_EQ(found == detail::CharacterClass::number, numbers[c]) << std::hex << static_cast<unsigned>(c);
  }
  std::size_t lowered = 0;
  for (const Json& entry : classes.find("lower")->find("str_lower")->items()) {
    const auto c = static_cast<char32_t>(entry.items()[0].as_integer());
    ASSERT_EQ(encode_utf8(python_lower(std::u32string(1, c))), entry.items()[1].as_string())
        << std::hex << entry.items()[0].as_integer();
    ++lowered;
  }
  for (char32_t c = 0; c < 0x110000; ++c) lowered -= python_lower(std::u32string(1, c)) != std::u32string(1, c) ? 1 : 0;
  EXPECT_EQ(lowered, 0U) << "no other code point changes";
}

}  // namespace
