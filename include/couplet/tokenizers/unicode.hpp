#pragma once
/// UTF-8, character classes and lower case for tokenizers.
///
/// Classes and lower case are those of the tokenizers library of Hugging Face (see unicode_tables.hpp for the
/// versions). Bytes that are not UTF-8: each maximal ill-formed part becomes one U+FFFD, as in Python's
/// errors="replace" (The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal Subparts").
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "couplet/config.hpp"
#include "couplet/tokenizers/unicode_tables.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

inline constexpr char32_t replacement_character = 0xfffd;

namespace detail {

inline constexpr char32_t ill_formed = 0xffffffff;

/// The code point at text[at], which moves past it; `ill_formed` (and past the longest prefix of a sequence) otherwise.
inline char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  if (lead < 0xc2 || lead > 0xf4) return ill_formed;
  const int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  // The second byte excludes overlong forms (E0, F0), surrogates (ED) and values above 10FFFF (F4).
  unsigned low = lead == 0xe0 ? 0xa0u : lead == 0xf0 ? 0x90u : 0x80u;
  unsigned high = lead == 0xed ? 0x9fu : lead == 0xf4 ? 0x8fu : 0xbfu;
  char32_t code = lead & (0x3fu >> more);
  for (int k = 0; k < more; ++k) {
    if (at == text.size()) return ill_formed;
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < low || byte > high) return ill_formed;
    code = code << 6 | (byte & 0x3fu);
    low = 0x80, high = 0xbf;
    ++at;
  }
  return code;
}

/// Whether c is in the class with these edges.
template <std::size_t N>
bool inside(const std::uint32_t (&edges)[N], char32_t c) {
  const auto* above = std::upper_bound(std::begin(edges), std::end(edges), static_cast<std::uint32_t>(c));
  return (above - std::begin(edges)) % 2 == 1;
}

}  // namespace detail

[[nodiscard]] inline bool valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (detail::next_code_point(text, at) == detail::ill_formed) return false;
  }
  return true;
}

/// Code points of `text`, with U+FFFD for what is not UTF-8.
[[nodiscard]] inline std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = detail::next_code_point(text, at);
    out += c == detail::ill_formed ? replacement_character : c;
  }
  return out;
}

/// Appends the one to four bytes of a code point.
inline void append_utf8(char32_t c, std::string& out) {
  const auto byte = [&out](char32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      byte(0xe0 | c >> 12);
    } else {
      byte(0xf0 | c >> 18);
      byte(0x80 | (c >> 12 & 0x3f));
    }
    byte(0x80 | (c >> 6 & 0x3f));
  }
  byte(0x80 | (c & 0x3f));
}

[[nodiscard]] inline std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_utf8(c, out);
  return out;
}

/// \p{L}. Combining marks are not letters.
[[nodiscard]] inline bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return detail::inside(detail::letter_edges, c);
}

/// \p{N}: digits of all scripts, letter-like numbers, fractions.
[[nodiscard]] inline bool is_number(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return detail::inside(detail::number_edges, c);
}

/// \s, the White_Space property: 25 code points. (Python's str.split adds U+001C..001F.)
[[nodiscard]] inline bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0d);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

/// Appends the lower case of one code point, whatever its neighbours (capital sigma is never final): one code point,
/// but for U+0130, which gives i and U+0307.
inline void append_lower(char32_t c, std::u32string& out) {
  if (c < 0x80) {
    out += c >= 'A' && c <= 'Z' ? c + 32 : c;
    return;
  }
  if (c == 0x130) {
    out += U'i';
    out += U'\u0307';
    return;
  }
  const auto code = static_cast<std::int32_t>(c);
  const auto* run = std::lower_bound(std::begin(detail::lower_runs), std::end(detail::lower_runs), code,
                                     [](const detail::LowerRun& r, std::int32_t value) { return r.last < value; });
  const bool mapped =
      run != std::end(detail::lower_runs) && code >= run->first && (code - run->first) % run->stride == 0;
  out += mapped ? static_cast<char32_t>(code + run->difference) : c;
}

[[nodiscard]] inline std::u32string lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_lower(c, out);
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
