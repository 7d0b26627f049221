#pragma once
/// The text rules of CLIP's tokenizer as OpenAI and open_clip have them (SimpleTokenizer): repairs, HTML, white space,
/// Python's lower case, and the pattern that cuts text into words, which here ignores case.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "couplet/config.hpp"
#include "couplet/tokenizers/clip_text.hpp"
#include "couplet/tokenizers/fix_text.hpp"
#include "couplet/tokenizers/html_unescape.hpp"
#include "couplet/tokenizers/python_tables.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// open_clip's `clean`: lower case (also OpenAI's), lower case without ASCII punctuation, or white space alone.
enum class OpenClipClean { lower, canonicalize, whitespace };

[[nodiscard]] inline std::string describe(OpenClipClean clean) {
  const char* const names[] = {"lower case", "lower case without punctuation", "white space"};
  return names[static_cast<int>(clean)];
}

/// Python's str.lower: sigma at the end of a word is final, capitals younger than Unicode 14 stay.
[[nodiscard]] inline std::u32string python_lower(std::u32string_view text) {
  using detail::inside;
  std::u32string out;
  out.reserve(text.size());
  bool after_cased = false;  // the nearest code point before that is not case-ignorable is cased
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char32_t c = text[at];
    if (c == 0x3a3) {
      std::size_t next = at + 1;
      while (next < text.size() && inside(detail::case_ignorable_edges, text[next])) ++next;
      const bool before_cased = next < text.size() && inside(detail::cased_edges, text[next]);
      out += after_cased && !before_cased ? char32_t{0x3c2} : char32_t{0x3c3};
    } else if (inside(detail::python_unlowered_edges, c)) {
      out += c;
    } else {
      append_lower(c, out);
    }
    if (!inside(detail::case_ignorable_edges, c)) after_cased = inside(detail::cased_edges, c);
  }
  return out;
}

/// Python's str.isspace: white space and U+001C..001F.
[[nodiscard]] inline bool is_python_space(char32_t c) { return is_space(c) || (c >= 0x1c && c <= 0x1f); }

/// Python's string.punctuation.
[[nodiscard]] inline bool is_ascii_punctuation(char32_t c) {
  return c > 0x20 && c < 0x7f && !is_letter(c) && !is_number(c);
}

enum class Punctuation { keep, remove };

/// The words of a text with one space between them; ASCII punctuation goes first, if told so.
[[nodiscard]] inline std::u32string join_words(std::u32string_view text, Punctuation punctuation) {
  std::u32string out;
  out.reserve(text.size());
  bool space = false;  // between the words so far and the next character
  for (const char32_t c : text) {
    if (punctuation == Punctuation::remove && is_ascii_punctuation(c)) continue;
    const bool separator = is_python_space(c);
    if (!separator && space && !out.empty()) out += U' ';
    if (!separator) out += c;
    space = separator || (space && out.empty());
  }
  return out;
}

/// Repairs (but for mojibake), HTML references resolved twice, white space, case.
[[nodiscard]] inline std::u32string clean_open_clip_text(std::u32string_view text, OpenClipClean clean) {
  std::u32string unescaped = html_unescape(html_unescape(fix_text(text)));
  const bool canonicalize = clean == OpenClipClean::canonicalize;
  if (canonicalize) std::replace(unescaped.begin(), unescaped.end(), U'_', U' ');
  const std::u32string words = join_words(unescaped, canonicalize ? Punctuation::remove : Punctuation::keep);
  return clean == OpenClipClean::whitespace ? words : python_lower(words);
}

namespace detail {

/// The character classes of the module regex under IGNORECASE. U+0345 is of none: its other case is a letter.
inline CharacterClass regex_class(char32_t c) {
  if (c == 0x345) return CharacterClass::space;
  const CharacterClass known = character_class(c);
  if (c < 0x80 || known != CharacterClass::other) return known;
  if (inside(regex_letter_edges, c)) return CharacterClass::letter;
  return inside(regex_number_edges, c) ? CharacterClass::number : CharacterClass::other;
}

/// ASCII in lower case; the long s is an s to a pattern that ignores case.
inline char32_t fold_case(char32_t c) {
  if (c == 0x17f) return U's';
  return c >= U'A' && c <= U'Z' ? c + 32 : c;
}

inline bool starts_with_any_case(std::u32string_view text, std::u32string_view lowered) {
  const auto same = [](char32_t a, char32_t b) { return fold_case(a) == b; };
  return text.size() >= lowered.size() &&
         std::equal(lowered.begin(), lowered.end(), text.begin(), [&](char32_t b, char32_t a) { return same(a, b); });
}

}  // namespace detail

/// Calls word(std::u32string_view) for each match, in order, until it returns false, of
///   <start>|<end>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+   ignoring case,
/// where <start> and <end> are the dialect's special texts, in lower case.
template <class Word>
void for_each_open_clip_word(std::u32string_view text, std::u32string_view start, std::u32string_view end,
                             Word&& word) {
  using detail::CharacterClass;
  while (!text.empty()) {
    std::size_t length = 0;
    for (const std::u32string_view special :
         {start, end, std::u32string_view(U"'s"), std::u32string_view(U"'t"), std::u32string_view(U"'re"),
          std::u32string_view(U"'ve"), std::u32string_view(U"'m"), std::u32string_view(U"'ll"),
          std::u32string_view(U"'d")}) {
      if (text[0] != special[0] || !detail::starts_with_any_case(text, special)) continue;
      length = special.size();
      break;
    }
    const CharacterClass first = detail::regex_class(text[0]);
    if (length == 0) {
      length = 1;
      const bool run = first == CharacterClass::letter || first == CharacterClass::other;
      while (run && length < text.size() && detail::regex_class(text[length]) == first) ++length;
    }
    if (first != CharacterClass::space && !word(text.substr(0, length))) return;
    text.remove_prefix(length);
  }
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
