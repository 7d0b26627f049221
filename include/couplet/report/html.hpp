#pragma once
/// Reports as one HTML file that needs nothing else: pictures are embedded, styles and charts inline, no scripts.
///
///   report::HtmlReport page("Search", "photos.safetensors, 2,477 pictures");
///   page.section("a red heart").cards(cards);
///   page.save("search.html");
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "couplet/image/encode.hpp"
#include "couplet/image/resize.hpp"
#include "couplet/io/file.hpp"
#include "couplet/report/html_text.hpp"
#include "couplet/report/line_chart.hpp"
#include "couplet/report/style.hpp"

namespace couplet::inline COUPLET_ABI::report {

/// A labelled bar, 0 to 1: a probability, a score.
struct Bar {
  std::string label;
  double value = 0;
  /// What is printed; empty: the value in percent.
  std::string text = {};
  bool best = false;
};

enum class Verdict { none, good, bad };

/// A picture with words below it.
struct Card {
  image::Image picture;
  std::string caption;
  std::string note = {};
  std::vector<Bar> bars = {};
  Verdict verdict = Verdict::none;
};

/// A number that matters and what it is: {"96.4 %", "top-1, seen pairs"}.
struct Figure {
  std::string value, label;
};

namespace detail {

/// A PNG as a data: URL, of at most `side` pixels.
inline std::string thumbnail_url(const image::Image& picture, int side) {
  const int longest = std::max(picture.width, picture.height);
  if (longest <= side) return "data:image/png;base64," + image::base64(image::encode_png(picture));
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>((std::int64_t{length} * side + longest / 2) / longest));
  };
  const image::Image small = image::resize(picture, scaled(picture.height), scaled(picture.width));
  return "data:image/png;base64," + image::base64(image::encode_png(small));
}

/// Digits with the signs, points, percent signs and unit letters behind them that numbers in tables have.
inline bool looks_numeric(const std::string& text) {
  const bool digit = text.find_first_of("0123456789") != std::string::npos;
  return digit && text.find_first_not_of("0123456789.,+-% eE\xc2\xb1/s") == std::string::npos;
}

}  // namespace detail

class HtmlReport {
 public:
  explicit HtmlReport(std::string title, std::string subtitle = "")
      : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

  HtmlReport& section(const std::string& heading, const std::string& text = "") {
    body_ += "<h2>" + escape_html(heading) + "</h2>\n";
    return text.empty() ? *this : paragraph(text);
  }
  HtmlReport& paragraph(const std::string& text) {
    body_ += "<p>" + escape_html(text) + "</p>\n";
    return *this;
  }
  /// Lines to type, as they are.
  HtmlReport& commands(const std::string& text) {
    body_ += "<pre>" + escape_html(text) + "</pre>\n";
    return *this;
  }

  HtmlReport& figures(const std::vector<Figure>& figures) {
    body_ += "<div class=\"tiles\">";
    for (const Figure& figure : figures) {
      body_ += "<div class=\"tile\"><b>" + escape_html(figure.value) + "</b><span>" + escape_html(figure.label) +
               "</span></div>";
    }
    body_ += "</div>\n";
    return *this;
  }

  /// Columns whose cells all look like numbers are aligned to the right. Short rows are filled up.
  HtmlReport& table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
    std::vector<const char*> align(header.size(), "");
    for (std::size_t c = 0; c < header.size() && !rows.empty(); ++c) {
      const bool numeric = std::all_of(rows.begin(), rows.end(), [c](const std::vector<std::string>& row) {
        return c >= row.size() || row[c].empty() || row[c] == "-" || detail::looks_numeric(row[c]);
      });
      if (numeric) align[c] = " class=\"number\"";
    }
    body_ += "<div class=\"table\"><table><thead><tr>";
    for (std::size_t c = 0; c < header.size(); ++c) {
      body_ += std::string("<th") + align[c] + ">" + escape_html(header[c]) + "</th>";
    }
    body_ += "</tr></thead><tbody>";
    for (const std::vector<std::string>& row : rows) {
      body_ += "<tr>";
      for (std::size_t c = 0; c < header.size(); ++c) {
        body_ += std::string("<td") + align[c] + ">" + (c < row.size() ? escape_html(row[c]) : "") + "</td>";
      }
      body_ += "</tr>";
    }
    body_ += "</tbody></table></div>\n";
    return *this;
  }

  /// A grid of pictures, each about `width` pixels wide on the screen and stored with at most twice as many.
  /// std::invalid_argument: a picture without pixels.
  HtmlReport& cards(const std::vector<Card>& cards, int width = 168) {
    body_ += "<div class=\"cards\" style=\"--width:" + std::to_string(width) + "px\">\n";
    for (const Card& card : cards) body_ += card_html(card, width);
    body_ += "</div>\n";
    return *this;
  }

  HtmlReport& line_chart(const LineChart& chart) {
    body_ += line_chart_html(chart);
    return *this;
  }

  /// Words at the end of the page.
  HtmlReport& footer(const std::string& text) {
    footer_ = text;
    return *this;
  }

  /// The whole page.
  [[nodiscard]] std::string str() const {
    std::string page =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';img-src data:;style-src "
        "'unsafe-inline'\">";
    page += "<title>" + escape_html(title_) + "</title><style>" + style_sheet + "</style></head><body><main>\n";
    page += "<header><h1>" + escape_html(title_) + "</h1>";
    if (!subtitle_.empty()) page += "<p>" + escape_html(subtitle_) + "</p>";
    page += "</header>\n" + body_;
    if (!footer_.empty()) page += "<footer>" + escape_html(footer_) + "</footer>";
    return page + "</main></body></html>\n";
  }
  /// Writes the page, atomically. file_error: the disk.
  void save(const std::string& path) const { io::write_file(path, str()); }

 private:
  static std::string card_html(const Card& card, int width) {
    static constexpr const char* classes[] = {"card", "card good", "card bad"};
    std::string html = std::string("<div class=\"") + classes[static_cast<int>(card.verdict)] + "\">";
    const bool small = std::max(card.picture.width, card.picture.height) < width;
    html += std::string("<div class=\"picture\"><img ") + (small ? "class=\"pixels\" " : "") + "alt=\"" +
            escape_html(card.caption) + "\" src=\"" + detail::thumbnail_url(card.picture, 2 * width) + "\"></div>";
    html += "<div class=\"words\">";
    if (!card.caption.empty()) html += "<div class=\"caption\">" + escape_html(card.caption) + "</div>";
    if (!card.note.empty()) html += "<div class=\"note\">" + escape_html(card.note) + "</div>";
    for (const Bar& bar : card.bars) html += bar_html(bar);
    return html + "</div></div>\n";
  }

  static std::string bar_html(const Bar& bar) {
    const double percent = is_finite(bar.value) ? std::clamp(bar.value, 0.0, 1.0) * 100 : 0;
    const std::string text = bar.text.empty() ? number_text(bar.value * 100) + " %" : bar.text;
    return std::string("<div class=\"bar") + (bar.best ? " best" : "") + "\"><span>" + escape_html(bar.label) +
           "</span><span>" + escape_html(text) + "</span><i><s style=\"width:" + coordinate(percent) +
           "%\"></s></i></div>";
  }

  std::string title_, subtitle_, body_, footer_;
};

}  // namespace couplet::inline COUPLET_ABI::report
