#pragma once
/// A line chart as inline SVG: curves over one axis, round ticks, a legend. Colours come from the page (style.hpp).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "couplet/report/html_text.hpp"

namespace couplet::inline COUPLET_ABI::report {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< (x, y), x ascending; NaN and what is beyond 1e15 is left out
};

struct LineChart {
  std::string title;
  std::string x_label, y_label;
  std::vector<Series> series;  ///< the page has six colours; more begin again
};

namespace detail {

/// A range with ticks at multiples of 1, 2 or 5 times a power of ten.
struct Axis {
  double low = 0, high = 1, step = 1;

  /// Covers [low, high] with about `ticks` ticks.
  static Axis around(double low, double high, int ticks) {
    const double size = std::max(std::abs(low), std::abs(high));
    if (!(high - low > std::max(size * 1e-12, 1e-100))) {
      const double pad = size < 1e-12 ? 1 : size * 0.1;
      low -= pad;
      high += pad;
    }
    const double raw = (high - low) / ticks;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    const double unit = raw / power;
    const double step = power * (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 5 ? 5 : 10);
    return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
  }
  [[nodiscard]] double share(double value) const { return (value - low) / (high - low); }
  [[nodiscard]] int ticks() const { return static_cast<int>((high - low) / step + 1e-6) + 1; }
  /// Tick i; exactly 0 where rounding leaves a little.
  [[nodiscard]] double tick(int i) const {
    const double value = low + i * step;
    return std::abs(value) < step * 1e-6 ? 0 : value;
  }
};

inline bool drawable(double value) { return is_finite(value) && std::abs(value) <= 1e15; }

/// At most `most` points: the mean of each run of neighbours.
inline std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>>& points,
                                                      std::size_t most) {
  std::vector<std::pair<double, double>> finite;
  for (const auto& point : points) {
    if (drawable(point.first) && drawable(point.second)) finite.push_back(point);
  }
  if (finite.size() <= most) return finite;
  std::vector<std::pair<double, double>> out;
  for (std::size_t i = 0; i < most; ++i) {
    const std::size_t begin = i * finite.size() / most, end = (i + 1) * finite.size() / most;
    double x = 0, y = 0;
    for (std::size_t p = begin; p < end; ++p) x += finite[p].first, y += finite[p].second;
    out.emplace_back(x / static_cast<double>(end - begin), y / static_cast<double>(end - begin));
  }
  return out;
}

/// The plot inside the picture of 760 x 280: left, top, right, bottom.
inline constexpr double chart_left = 56, chart_top = 14, chart_right = 736, chart_bottom = 236;

inline std::string svg_text(double x, double y, const char* anchor, const std::string& text) {
  return "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" text-anchor=\"" + anchor + "\">" +
         escape_html(text) + "</text>";
}

inline std::string svg_axes(const Axis& x, const Axis& y) {
  std::string svg;
  for (int i = 0; i < y.ticks(); ++i) {
    const double at = chart_bottom - y.share(y.tick(i)) * (chart_bottom - chart_top);
    svg += "<line class=\"grid\" x1=\"" + coordinate(chart_left) + "\" x2=\"" + coordinate(chart_right) + "\" y1=\"" +
           coordinate(at) + "\" y2=\"" + coordinate(at) + "\"/>";
    svg += svg_text(chart_left - 8, at + 4, "end", number_text(y.tick(i), 4));
  }
  for (int i = 0; i < x.ticks(); ++i) {
    const double at = chart_left + x.share(x.tick(i)) * (chart_right - chart_left);
    svg += svg_text(at, chart_bottom + 18, "middle", number_text(x.tick(i), 6));
  }
  return svg;
}

}  // namespace detail

/// The chart as a <figure>. Empty series are named in the legend but draw nothing.
inline std::string line_chart_html(const LineChart& chart) {
  using detail::Axis, detail::chart_bottom, detail::chart_left, detail::chart_right, detail::chart_top;
  std::vector<std::vector<std::pair<double, double>>> curves;
  double x_low = 0, x_high = 0, y_low = 0, y_high = 0;
  bool any = false;
  for (const Series& series : chart.series) {
    curves.push_back(detail::thinned(series.points, 500));
    for (const auto& [x, y] : curves.back()) {
      x_low = any ? std::min(x_low, x) : x, x_high = any ? std::max(x_high, x) : x;
      y_low = any ? std::min(y_low, y) : y, y_high = any ? std::max(y_high, y) : y;
      any = true;
    }
  }
  Axis x = Axis::around(x_low, x_high, 8);
  const Axis y = Axis::around(y_low, y_high, 5);
  if (x_low < x_high) x.high = x_high;  // curves end at the right border
  std::string html = "<figure class=\"chart\"><figcaption>" + escape_html(chart.title) + "</figcaption>";
  html += "<svg viewBox=\"0 0 760 280\" role=\"img\">" + detail::svg_axes(x, y);
  for (std::size_t s = 0; s < curves.size(); ++s) {
    html += "<polyline class=\"curve c" + std::to_string(s % 6) + "\" points=\"";
    for (const auto& [px, py] : curves[s]) {
      html += coordinate(chart_left + x.share(px) * (chart_right - chart_left)) + "," +
              coordinate(chart_bottom - y.share(py) * (chart_bottom - chart_top)) + " ";
    }
    html += "\"/>";
  }
  html += detail::svg_text((chart_left + chart_right) / 2, 274, "middle", chart.x_label) + "</svg><p class=\"legend\">";
  for (std::size_t s = 0; s < curves.size(); ++s) {
    html += "<span class=\"c" + std::to_string(s % 6) + "\">" + escape_html(chart.series[s].name) + "</span>";
  }
  if (!chart.y_label.empty()) html += "<em>" + escape_html(chart.y_label) + "</em>";
  return html + "</p></figure>\n";
}

}  // namespace couplet::inline COUPLET_ABI::report
