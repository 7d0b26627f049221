#pragma once
/// Character references of HTML, as Python's html.unescape resolves them (HTML 5, section 13.2.5.72 and on): the named
/// ones of the standard, with the longest known prefix where the semicolon is missing ("&notit;" is "¬it;"), and
/// numbers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/html_entities.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

namespace detail {

/// A named reference: the text between & and ; and what it stands for.
struct HtmlEntity {
  std::string_view name;
  std::u32string value;  // one or two code points
  bool needs_semicolon = true;
};

/// A function and not a lambda: compilers try to evaluate a lambda at compile time, which costs a second here.
inline std::vector<HtmlEntity> read_html_entities() {
  std::vector<HtmlEntity> all;
  for (std::string_view rest = html_entities; !rest.empty();) {
    const std::size_t mark = rest.find_first_of(";?"), end = rest.find(' ');
    HtmlEntity entity{rest.substr(0, mark), {}, rest[mark] == ';'};
    char32_t code = 0;
    for (const char c : rest.substr(mark + 1, end - mark)) {
      const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      if (digit) code = code * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
      if (!digit) entity.value += std::exchange(code, 0);
    }
    all.push_back(std::move(entity));
    rest.remove_prefix(end + 1);
  }
  return all;
}

/// All named references, sorted by name.
inline const std::vector<HtmlEntity>& html_entity_table() {
  static const std::vector<HtmlEntity> table = read_html_entities();
  return table;
}

/// The reference with this name; nullptr if there is none, or if it needs the semicolon that is not there.
inline const HtmlEntity* find_html_entity(std::u32string_view name, bool semicolon) {
  std::string ascii;
  for (const char32_t c : name) {
    if (c >= 0x80) return nullptr;
    ascii += static_cast<char>(c);
  }
  const auto& table = html_entity_table();
  const auto found = std::lower_bound(table.begin(), table.end(), ascii,
                                      [](const HtmlEntity& e, const std::string& n) { return e.name < n; });
  const bool good = found != table.end() && found->name == ascii && (semicolon || !found->needs_semicolon);
  return good ? &*found : nullptr;
}

/// Windows-1252 for 0x80..0x9f, where it has a character.
inline char32_t windows_1252(char32_t c) {
  static constexpr char32_t table[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                         0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                         0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                         0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};
  return c >= 0x80 && c < 0xa0 ? table[c - 0x80] : c;
}

/// What a number stands for: nothing for controls and noncharacters, U+FFFD for 0, surrogates and beyond Unicode.
inline void append_html_number(char32_t code, std::u32string& out) {
  if (code == 0 || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) {
    out += replacement_character;
    return;
  }
  const bool control = code < 0x20 && code != 0x09 && code != 0x0a && code != 0x0c && code != 0x0d;
  const bool nothing = control || code == 0x7f || (code >= 0xfdd0 && code < 0xfdf0) || (code & 0xfffe) == 0xfffe;
  if (!nothing) out += windows_1252(code);
}

/// Reads #123; or #x7b; (text begins behind the &) and appends what it stands for; the length read, 0 if it is none.
inline std::size_t read_html_number(std::u32string_view text, std::u32string& out) {
  if (text.empty() || text[0] != U'#') return 0;
  const bool hex = text.size() > 1 && (text[1] == U'x' || text[1] == U'X');
  const std::size_t first = hex ? 2 : 1;
  char32_t code = 0;
  std::size_t at = first;
  for (; at < text.size(); ++at) {
    const char32_t c = text[at], low = c | 0x20;
    const bool decimal = c >= U'0' && c <= U'9', letter = hex && low >= U'a' && low <= U'f';
    if (!decimal && !letter) break;
    code = std::min<char32_t>(code * (hex ? 16 : 10) + (decimal ? c - U'0' : low - U'a' + 10), 0x110000);
  }
  if (at == first) return 0;
  append_html_number(code, out);
  return at < text.size() && text[at] == U';' ? at + 1 : at;
}

/// Reads a name of up to 32 characters (text begins behind the &) and appends what it or its longest known prefix
/// stands for; the length read, 0 if it is none.
inline std::size_t read_html_name(std::u32string_view text, std::u32string& out) {
  std::size_t length = 0;
  while (length < text.size() && length < 32 && std::u32string_view(U"\t\n\f <&#;").find(text[length]) == text.npos)
    ++length;
  if (length == 0) return 0;
  const bool semicolon = length < text.size() && text[length] == U';';
  if (const HtmlEntity* whole = find_html_entity(text.substr(0, length), semicolon)) {
    out += whole->value;
    return length + (semicolon ? 1 : 0);
  }
  for (std::size_t k = semicolon ? length : length - 1; k > 1; --k) {
    if (const HtmlEntity* prefix = find_html_entity(text.substr(0, k), false)) {
      out += prefix->value;
      return k;
    }
  }
  return 0;
}

}  // namespace detail

[[nodiscard]] inline std::u32string html_unescape(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == U'&') {
      const std::u32string_view rest = text.substr(at + 1);
      std::size_t read = detail::read_html_number(rest, out);
      if (read == 0) read = detail::read_html_name(rest, out);
      if (read > 0) {
        at += 1 + read;
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
