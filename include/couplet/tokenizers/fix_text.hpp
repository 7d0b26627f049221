#pragma once
/// The repairs of ftfy.fix_text (https://ftfy.readthedocs.io, version 6.3) that open_clip and OpenAI apply to captions,
/// but for the repair of mojibake: HTML entities, C1 controls read as windows-1252, ligatures, full and half width,
/// curly quotes, line breaks, terminal escapes, control characters, NFC.
///
/// Each line is repaired until nothing changes, at most 16 times (text nested deeper than that was made to be).
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "couplet/config.hpp"
#include "couplet/tokenizers/html_unescape.hpp"
#include "couplet/tokenizers/normalization.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

namespace detail {

/// The capital of a code point that an entity in capitals stands for (&EACUTE;).
inline void append_upper(char32_t c, std::u32string& out) {
  static constexpr std::pair<char32_t, std::u32string_view> special[] = {
      {0xb5, U"\u039c"},  {0xdf, U"SS"},      {0x131, U"I"},      {0x149, U"\u02bcN"},
      {0x3c2, U"\u03a3"}, {0x3d1, U"\u0398"}, {0x3d5, U"\u03a6"}, {0x3d6, U"\u03a0"},
      {0x3f0, U"\u039a"}, {0x3f1, U"\u03a1"}, {0x3f5, U"\u0395"}, {0xfb00, U"FF"},
      {0xfb01, U"FI"},    {0xfb02, U"FL"},    {0xfb03, U"FFI"},   {0xfb04, U"FFL"}};
  for (const auto& [from, to] : special) {
    if (from == c) {
      out.append(to.begin(), to.end());
      return;
    }
  }
  const auto code = static_cast<std::int32_t>(c);
  for (const LowerRun& run : lower_runs) {
    const std::int32_t capital = code - run.difference;
    if (capital >= run.first && capital <= run.last && (capital - run.first) % run.stride == 0) {
      out += static_cast<char32_t>(capital);
      return;
    }
  }
  if (c >= U'a' && c <= U'z') out += static_cast<char32_t>(c - 32);
  if (c < U'a' || c > U'z') out += c;
}

/// &name; in the spelling of the standard or in capitals, &#123; and &#x7b;: what it stands for, or itself.
inline std::u32string entity_value(std::u32string_view entity) {
  const std::u32string_view name = entity.substr(1, entity.size() - 2);
  if (name[0] == U'#') {
    std::u32string value = html_unescape(entity);
    return value.find(U';') == value.npos ? value : std::u32string(entity);
  }
  if (const HtmlEntity* found = find_html_entity(name, true)) return found->value;
  const bool capitals = std::none_of(name.begin(), name.end(), [](char32_t c) { return c >= U'a' && c <= U'z'; });
  const HtmlEntity* small = capitals ? find_html_entity(lower(name), true) : nullptr;
  if (small == nullptr || html_unescape(entity) != entity) return std::u32string(entity);
  std::u32string value;
  for (const char32_t c : small->value) append_upper(c, value);
  return value;
}

/// &#?[0-9A-Za-z]{1,24}; -> what it stands for.
inline std::u32string unescape_entities(std::u32string_view text) {
  const auto alphanumeric = [](char32_t c) { return c < 0x80 && (is_letter(c) || is_number(c)); };
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    if (text[at] == U'&') {
      if (end < text.size() && text[end] == U'#') ++end;
      const std::size_t first = end;
      while (end < text.size() && end - first < 24 && alphanumeric(text[end])) ++end;
      if (end > first && end < text.size() && text[end] == U';') {
        out += entity_value(text.substr(at, end + 1 - at));
        at = end + 1;
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

/// Latin ligatures and digraphs by their letters.
inline std::u32string_view ligature_letters(char32_t c) {
  switch (c) {
    case 0x132:
      return U"IJ";
    case 0x133:
      return U"ij";
    case 0x149:
      return U"\u02bcn";
    case 0x1c4:
      return U"D\u017d";
    case 0x1c5:
      return U"D\u017e";
    case 0x1c6:
      return U"d\u017e";
    case 0x1c7:
      return U"LJ";
    case 0x1c8:
      return U"Lj";
    case 0x1c9:
      return U"lj";
    case 0x1ca:
      return U"NJ";
    case 0x1cb:
      return U"Nj";
    case 0x1cc:
      return U"nj";
    case 0x1f1:
      return U"DZ";
    case 0x1f2:
      return U"Dz";
    case 0x1f3:
      return U"dz";
    case 0xfb00:
      return U"ff";
    case 0xfb01:
      return U"fi";
    case 0xfb02:
      return U"fl";
    case 0xfb03:
      return U"ffi";
    case 0xfb04:
      return U"ffl";
    case 0xfb05:
      return U"\u017ft";
    case 0xfb06:
      return U"st";
    default:
      return {};
  }
}

/// U+FF01..FFEF by compatibility normalisation, U+3000 as a space. (U+FFE3, a macron with a space, is the caller's.)
inline char32_t usual_width(char32_t c) {
  // U+FF5F..FFEE: brackets, Katakana, Hangul letters, signs; 0: as it is.
  static constexpr char16_t table[] = {
      0x2985, 0x2986, 0x3002, 0x300c, 0x300d, 0x3001, 0x30fb, 0x30f2, 0x30a1, 0x30a3, 0x30a5, 0x30a7, 0x30a9, 0x30e3,
      0x30e5, 0x30e7, 0x30c3, 0x30fc, 0x30a2, 0x30a4, 0x30a6, 0x30a8, 0x30aa, 0x30ab, 0x30ad, 0x30af, 0x30b1, 0x30b3,
      0x30b5, 0x30b7, 0x30b9, 0x30bb, 0x30bd, 0x30bf, 0x30c1, 0x30c4, 0x30c6, 0x30c8, 0x30ca, 0x30cb, 0x30cc, 0x30cd,
      0x30ce, 0x30cf, 0x30d2, 0x30d5, 0x30d8, 0x30db, 0x30de, 0x30df, 0x30e0, 0x30e1, 0x30e2, 0x30e4, 0x30e6, 0x30e8,
      0x30e9, 0x30ea, 0x30eb, 0x30ec, 0x30ed, 0x30ef, 0x30f3, 0x3099, 0x309a, 0x1160, 0x1100, 0x1101, 0x11aa, 0x1102,
      0x11ac, 0x11ad, 0x1103, 0x1104, 0x1105, 0x11b0, 0x11b1, 0x11b2, 0x11b3, 0x11b4, 0x11b5, 0x111a, 0x1106, 0x1107,
      0x1108, 0x1121, 0x1109, 0x110a, 0x110b, 0x110c, 0x110d, 0x110e, 0x110f, 0x1110, 0x1111, 0x1112, 0,      0,
      0,      0x1161, 0x1162, 0x1163, 0x1164, 0x1165, 0x1166, 0,      0,      0x1167, 0x1168, 0x1169, 0x116a, 0x116b,
      0x116c, 0,      0,      0x116d, 0x116e, 0x116f, 0x1170, 0x1171, 0x1172, 0,      0,      0x1173, 0x1174, 0x1175,
      0,      0,      0,      0xa2,   0xa3,   0xac,   0,      0xa6,   0xa5,   0x20a9, 0,      0x2502, 0x2190, 0x2191,
      0x2192, 0x2193, 0x25a0, 0x25cb};
  if (c == 0x3000) return U' ';
  if (c >= 0xff01 && c <= 0xff5e) return c - 0xfee0;
  if (c < 0xff5f || c > 0xffee || table[c - 0xff5f] == 0) return c;
  return table[c - 0xff5f];
}

inline char32_t straight_quote(char32_t c) {
  if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b)) return U'\'';
  return c >= 0x201c && c <= 0x201f ? U'"' : c;
}

inline bool is_removed_control(char32_t c) {
  return c <= 0x08 || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || (c >= 0x206a && c <= 0x206f) ||
         c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

/// The repairs of single characters, then line breaks: CRLF, CR, U+0085, U+2028, U+2029 -> LF.
inline std::u32string fix_characters(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  const auto put = [&out](char32_t c) {
    if (c == 0xffe3) out += U' ';
    c = straight_quote(c == 0xffe3 ? 0x304 : usual_width(c));
    const bool after_return = c == U'\n' && !out.empty() && out.back() == U'\r';
    if (after_return) out.pop_back();
    if (!out.empty() && out.back() == U'\r') out.back() = U'\n';
    out += c == 0x2028 || c == 0x2029 || c == 0x85 ? U'\n' : c;
  };
  for (const char32_t original : text) {
    const char32_t c = windows_1252(original);
    const std::u32string_view letters = ligature_letters(c);
    if (letters.empty()) put(c);
    for (const char32_t letter : letters) put(letter);
  }
  if (!out.empty() && out.back() == U'\r') out.back() = U'\n';
  return out;
}

/// Deletes ESC [ digits and semicolons, letter; then control characters.
inline std::u32string remove_controls(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == 0x1b && at + 1 < text.size() && text[at + 1] == U'[') {
      std::size_t end = at + 2;
      while (end < text.size() && (text[end] == U';' || (text[end] >= U'0' && text[end] <= U'9'))) ++end;
      if (end < text.size() && text[end] < 0x80 && is_letter(text[end])) {
        at = end + 1;
        continue;
      }
    }
    if (!is_removed_control(text[at])) out += text[at];
    ++at;
  }
  return out;
}

inline std::u32string fix_line(std::u32string line, bool entities) {
  constexpr int most_rounds = 16;
  for (int round = 0; round < most_rounds; ++round) {
    std::u32string fixed = fix_characters(entities ? unescape_entities(line) : line);
    fixed = nfc(remove_controls(fixed), UnicodeVersion::v14);
    if (fixed == line) break;
    line = std::move(fixed);
  }
  return line;
}

}  // namespace detail

/// Repairs a text line by line. Entities are left alone from the first line on that holds a '<' (it is HTML itself).
[[nodiscard]] inline std::u32string fix_text(std::u32string_view text) {
  constexpr std::size_t longest_line = 1000000;  // ftfy repairs longer ones in pieces
  std::u32string out;
  bool entities = true;
  while (!text.empty()) {
    const std::size_t end = std::min({text.find(U'\n'), text.size() - 1, longest_line - 1}) + 1;
    const std::u32string_view line = text.substr(0, end);
    if (line.find(U'<') != line.npos) entities = false;
    out += detail::fix_line(std::u32string(line), entities);
    text.remove_prefix(end);
  }
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
