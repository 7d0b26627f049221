#pragma once
/// Text and numbers inside HTML and SVG.
#include <bit>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "couplet/io/utf8.hpp"

namespace couplet::inline COUPLET_ABI::report {

/// `text` with & < > " ' as character references, safe as content and in quoted attributes. Bytes that are not UTF-8
/// and control characters other than tab and line feed become U+FFFD.
inline std::string escape_html(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = io::utf8_character(text, i);
    const char c = text[i];
    if (length == 0 || (length == 1 && ((c >= 0 && c < 0x20 && c != '\n' && c != '\t') || c == 0x7f))) {
      out += "\xef\xbf\xbd";
    } else if (length > 1) {
      out += text.substr(i, length);
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += c;
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

/// Neither NaN nor infinite; by the bits, so that -ffast-math cannot fold it away.
inline bool is_finite(double value) { return (std::bit_cast<std::uint64_t>(value) >> 52U & 0x7ffU) != 0x7ffU; }

/// At most `digits` significant digits, without an exponent where that is readable: "0.125", "96.4", "1e-05". "-" for
/// what is not a finite number.
inline std::string number_text(double value, int digits = 3) {
  if (!is_finite(value)) return "-";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, digits).ptr;
  std::string text(buffer, end);
  const double size = value < 0 ? -value : value;
  if (text.find('e') != std::string::npos && size >= 1 && size < 1e9) {  // 1.2e+03 is hard to read
    const auto whole = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, 0).ptr;
    text.assign(buffer, whole);
  }
  return text;
}

/// For coordinates: two decimals.
inline std::string coordinate(double value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, 2).ptr;
  return std::string(buffer, end);
}

}  // namespace couplet::inline COUPLET_ABI::report
