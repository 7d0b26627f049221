#include "couplet/report/line_chart.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace couplet::report {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(LineChart, DrawsACurveForEachSeries) {
  const std::string html = line_chart_html({"Loss", "step", "nats", {{"train", {{0, 1}, {10, 2}}}, {"<val>", {}}}});
  EXPECT_EQ(count(html, "<polyline"), 2u);
  EXPECT_NE(html.find("points=\"56.00,236.00 736.00,14.00 \""), std::string::npos) << html;
  EXPECT_NE(html.find("&lt;val&gt;"), std::string::npos);
  EXPECT_EQ(count(html, "<figure"), 1u);
  EXPECT_EQ(count(html, "</figure>"), 1u);
}

TEST(LineChart, ChoosesRoundTicks) {
  const auto axis = detail::Axis::around(0.13, 4.7, 5);
  EXPECT_EQ(axis.step, 1);
  EXPECT_EQ(axis.low, 0);
  EXPECT_EQ(axis.high, 5);
  EXPECT_EQ(axis.ticks(), 6);
  EXPECT_EQ(axis.tick(5), 5);
  EXPECT_NEAR(detail::Axis::around(-0.02, 0.03, 5).step, 0.01, 1e-12);
}

TEST(LineChart, HasAFewTicksForAnyRange) {
  const double most = 1e15;
  for (const auto& [low, high] : {std::pair<double, double>{0, 0},
                                  {5, 5},
                                  {-3, -3},
                                  {-most, most},
                                  {most, most},
                                  {0, 5e-324},
                                  {1, 1 + 1e-15},
                                  {0, most},
                                  {-1e-9, 2e-9}}) {
    for (const int wanted : {5, 8}) {
      const auto axis = detail::Axis::around(low, high, wanted);
      EXPECT_LE(axis.low, low);
      EXPECT_GE(axis.high, high);
      EXPECT_GE(axis.ticks(), 2) << low << " " << high;
      EXPECT_LE(axis.ticks(), 15) << low << " " << high;
    }
  }
}

TEST(LineChart, LeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const std::string html =
      line_chart_html({"", "", "", {{"a", {{0, nan}, {1, 2}, {nan, 3}, {3, infinity}, {4, 1e300}, {5, 6}}}}});
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("inf"), std::string::npos);
  EXPECT_NE(html.find("points=\"56.00,"), std::string::npos);
}

TEST(LineChart, ThinsLongCurves) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < 10001; ++i) points.emplace_back(i, 2.0 * i);
  const auto thin = detail::thinned(points, 500);
  ASSERT_EQ(thin.size(), 500u);
  for (const auto& [x, y] : thin) EXPECT_NEAR(y, 2 * x, 1e-6);
  EXPECT_EQ(detail::thinned({{1, 2}, {3, 4}}, 500).size(), 2u);
}

TEST(LineChart, ManagesWithoutAnyPoint) {
  EXPECT_NE(line_chart_html({}).find("<svg"), std::string::npos);
  EXPECT_NE(line_chart_html({"t", "x", "y", {{"one", {{3, 3}}}}}).find("<polyline"), std::string::npos);
}

}  // namespace
}  // namespace couplet::report
