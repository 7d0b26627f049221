#include "couplet/report/html_text.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace couplet::report {
namespace {

TEST(HtmlText, EscapesWhatHtmlReads) {
  EXPECT_EQ(escape_html("<a href=\"x\" b='y'>&amp;"), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
  EXPECT_EQ(escape_html("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\n\t"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\n\t");
}

TEST(HtmlText, ReplacesControlsAndBadBytes) {
  EXPECT_EQ(escape_html(std::string_view("a\0b\x1b\x7f\xff\xc3", 7)),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(HtmlText, LeavesNoByteThatEndsATagOrAnAttribute) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const char bytes[] = {static_cast<char>(a), static_cast<char>(b)};
      const std::string out = escape_html({bytes, 2});
      EXPECT_EQ(out.find_first_of("<>\"'"), std::string::npos) << a << " " << b;
    }
  }
}

TEST(HtmlText, PrintsNumbersForReaders) {
  EXPECT_EQ(number_text(0.125), "0.125");
  EXPECT_EQ(number_text(96.44), "96.4");
  EXPECT_EQ(number_text(1234), "1234");
  EXPECT_EQ(number_text(1e-5), "1e-05");
  EXPECT_EQ(number_text(1e12), "1e+12");
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "-");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-");
  EXPECT_EQ(coordinate(1.005), "1.00");
  EXPECT_EQ(coordinate(-2), "-2.00");
}

}  // namespace
}  // namespace couplet::report
