#include "couplet/report/html.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "couplet/io/file.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::report {
namespace {

image::Image picture(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * width * height), 90)};
}

bool has(const HtmlReport& page, const std::string& text) { return page.str().find(text) != std::string::npos; }

/// Every element that is opened is closed, in order; void elements and the doctype aside.
bool balanced(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return false;
    const bool closes = html[at + 1] == '/';
    const std::string name = html.substr(at + 1 + closes, html.find_first_of(" >/", at + 2) - at - 1 - closes);
    if (name == "!DOCTYPE" || name == "meta" || name == "img" || html[end - 1] == '/') continue;
    if (!closes) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

HtmlReport full_page() {
  HtmlReport page("A <title>", "sub & title");
  page.section("\"words\"", "text").paragraph("more").commands("a <b>\n c").figures({{"96 %", "top-1"}});
  page.table({"name", "R@1"}, {{"<x>", "88.1 %"}, {"y"}});
  page.cards({{picture(4, 3), "it's <b>", "note", {{"label", 0.5, "", true}, {"other", 2.0}}, Verdict::good},
              {picture(4, 3), "", "", {}, Verdict::bad}});
  page.line_chart({"Loss", "step", "", {{"train", {{0, 1}, {1, 0}}}}});
  page.footer("end");
  return page;
}

TEST(HtmlReport, IsWellFormedAndNeedsNothingElse) {
  const std::string html = full_page().str();
  EXPECT_TRUE(balanced(html));
  EXPECT_EQ(html.compare(0, 15, "<!DOCTYPE html>"), 0);
  for (const char* outside : {"http:", "https:", "<script", "<link", "@import", "url(", "javascript:"}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(html.find("src=\"data:image/png;base64,iVBORw0KGgo"), std::string::npos);
}

TEST(HtmlReport, EscapesEveryText) {
  const std::string evil = "\"><script>alert('x')</script>&<!--";
  HtmlReport page(evil, evil);
  page.section(evil, evil).paragraph(evil).commands(evil).figures({{evil, evil}}).table({evil}, {{evil}});
  page.cards({{picture(1, 1), evil, evil, {{evil, 0.1, evil}}}});
  page.line_chart({evil, evil, evil, {{evil, {}}}}).footer(evil);
  EXPECT_FALSE(has(page, "<script"));
  EXPECT_FALSE(has(page, "<!--"));
  EXPECT_TRUE(balanced(page.str()));
}

TEST(HtmlReport, AlignsNumbersToTheRight) {
  HtmlReport page("t");
  page.table({"name", "value"}, {{"a", "88.1 %"}, {"b", "-"}, {"c", "1e-05"}, {"d"}});
  EXPECT_TRUE(has(page, "<th>name</th><th class=\"number\">value</th>"));
  EXPECT_TRUE(has(page, "<td>d</td><td class=\"number\"></td>"));
}

TEST(HtmlReport, BarsStayInTheirTrack) {
  HtmlReport page("t");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  page.cards({{picture(1, 1), "", "", {{"a", -1}, {"b", 7}, {"c", nan}, {"d", 0.256}, {"e", 0.1, "12.3"}}}});
  EXPECT_TRUE(has(page, "width:0.00%"));
  EXPECT_TRUE(has(page, "width:100.00%"));
  EXPECT_TRUE(has(page, "<span>25.6 %</span>"));
  EXPECT_TRUE(has(page, "<span>12.3</span>"));
}

TEST(HtmlReport, StoresLargePicturesSmaller) {
  // The width and height of a PNG are its bytes 16..23; in base64 they begin at character 21 or so: compare whole URLs.
  EXPECT_EQ(detail::thumbnail_url(picture(100, 50), 100).size(), detail::thumbnail_url(picture(100, 50), 200).size());
  const std::string wide = detail::thumbnail_url(picture(1000, 500), 100);
  EXPECT_EQ(wide, detail::thumbnail_url(picture(100, 50), 100));
  EXPECT_EQ(detail::thumbnail_url(picture(3000, 1), 100), detail::thumbnail_url(picture(100, 1), 100));
  HtmlReport page("t");
  page.cards({{picture(8, 8), "small"}, {picture(300, 300), "large"}}, 100);
  EXPECT_TRUE(has(page, "<img class=\"pixels\" alt=\"small\""));
  EXPECT_TRUE(has(page, "<img alt=\"large\""));
}

TEST(HtmlReport, RefusesPicturesWithoutPixels) {
  HtmlReport page("t");
  EXPECT_THROW(page.cards({{image::Image{}, "empty"}}), std::invalid_argument);
}

TEST(HtmlReport, IsSavedAsAFile) {
  const test::TemporaryDirectory folder;
  full_page().save(folder.path("r.html"));
  EXPECT_EQ(io::read_file(folder.path("r.html"), 1 << 20), full_page().str());
}

}  // namespace
}  // namespace couplet::report
