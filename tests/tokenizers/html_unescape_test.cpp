#include "couplet/tokenizers/html_unescape.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using couplet::tokenizers::encode_utf8;
using couplet::tokenizers::html_unescape;

TEST(HtmlUnescape, ResolvesAsPython) {
  // Expected values are those of html.unescape, Python 3.11.
  const struct {
    const char32_t *text, *expected;
  } cases[] = {
      {U"a &amp; b", U"a & b"},
      {U"&lt;&gt;&quot;&#39;&apos;", U"<>\"''"},
      {U"&amp;amp;", U"&amp;"},  // once
      {U"&ampx &notit; &not;", U"&x \u00acit; \u00ac"},
      {U"&notin; &NotEqualTilde;", U"\u2209 \u2242\u0338"},
      {U"&eacute;&eacute &Eacute &EACUTE;", U"\u00e9\u00e9 \u00c9 &EACUTE;"},
      {U"&hellip &hellip;", U"&hellip \u2026"},  // this one needs its semicolon
      {U"&#65;&#x41;&#X41;&#65", U"AAAA"},
      {U"&#128;&#x92;&#129;", U"\u20ac\u2019\u0081"},  // windows-1252
      {U"&#0;&#xd800;&#x110000;&#99999999999999999999;", U"\ufffd\ufffd\ufffd\ufffd"},
      {U"[&#1;&#11;&#127;&#xfdd0;&#xfffe;&#x1ffff;]", U"[]"},  // dropped
      {U"&#13;&#10;&#9;", U"\r\n\t"},
      {U"&", U"&"},
      {U"&;&#;&#x;& amp;", U"&;&#;&#x;& amp;"},
      {U"&unknown; &thisnameislongerthanthirtytwocharacters;", U"&unknown; &thisnameislongerthanthirtytwocharacters;"},
      {U"&amp\u00e9;", U"&\u00e9;"},
      {U"&&amp;&", U"&&&"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(encode_utf8(html_unescape(c.text)), encode_utf8(c.expected)) << encode_utf8(c.text);
  }
}

}  // namespace
