#include "couplet/tokenizers/fix_text.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tokenizers/golden.hpp"

namespace {

using couplet::io::Json;
using couplet::tokenizers::decode_utf8;
using couplet::tokenizers::encode_utf8;
using couplet::tokenizers::fix_text;

TEST(FixText, RepairsAsFtfy) {
  // Expected values are those of ftfy 6.3.1 with fix_encoding=False.
  const struct {
    const char32_t *text, *expected;
  } cases[] = {
      {U"\u201cquoted\u201d it\u2019s \u02bc", U"\"quoted\" it's '"},
      {U"\ufb01sh \ufb06 \u01c6 \u0149", U"fish st d\u017e 'n"},
      {U"\uff21\uff22\u3000\uff76\uff9e\uffe3", U"AB \u30ac \u0304"},
      {U"a\r\nb\rc\u2028d\u2029e\u0085f", U"a\nb\nc\nd\ne\u2026f"},  // U+0085 is an ellipsis in windows-1252 first
      {U"\u0080\u0092\u0081", U"\u20ac'\u0081"},
      {U"\x1b[31mred\x1b[0m \x1b[x \x1b", U"red  "},
      {U"\x1b[\x1b[mx", U"[x"},
      {U"a\ufeff\x07\x7f\u206a\ufff9z", U"az"},
      {U"cafe\u0301", U"caf\u00e9"},
      {U"&amp;amp; &eacute; &EACUTE; &SZLIG; &amp &ampx;", U"& \u00e9 \u00c9 SS &amp &ampx;"},
      {U"&#59; &#65; &#0;", U"&#59; A \ufffd"},
      {U"x &amp;\na<b &amp;\n&amp;", U"x &\na<b &amp;\n&amp;"},  // from the line with < on, entities stay
      {U"\uff06amp\uff1b", U"&"},                                // repaired until nothing changes
      {U"", U""},
      {U"\n\n", U"\n\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(encode_utf8(fix_text(c.text)), encode_utf8(c.expected)) << encode_utf8(c.text);
}

TEST(FixText, AgreesWithTheReferenceOnEveryCharacter) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const std::string path = couplet::test::golden_tokenizers() + "/charclass.json";
  const Json classes = Json::parse(couplet::io::read_file(path, 1 << 24), path);
  std::vector<std::string> fixed(0x110000);
  std::vector<bool> changes(0x110000);
  for (const Json& entry : classes.find("ftfy_single")->items()) {
    fixed[static_cast<std::size_t>(entry.items()[0].as_integer())] = entry.items()[1].as_string();
    changes[static_cast<std::size_t>(entry.items()[0].as_integer())] = true;
  }
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::u32string text(1, c);
    ASSERT_EQ(encode_utf8(fix_text(text)), changes[c] ? fixed[c] : encode_utf8(text))
        << std::hex << static_cast<unsigned>(c);
  }
}

TEST(FixText, StopsOnEndlessNesting) {
  std::u32string text = U"&";
  for (int k = 0; k < 200000; ++k) text += U"amp;";
  EXPECT_LT(fix_text(text).size(), text.size());
}

}  // namespace
