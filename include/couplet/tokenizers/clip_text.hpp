#pragma once
/// The text rules of CLIP's tokenizer in the dialect of Hugging Face (CLIPTokenizer): NFC, white space, lower case, and
/// the pattern that cuts text into words for byte pair encoding:
///   <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "couplet/config.hpp"
#include "couplet/tokenizers/normalization.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// The pattern as tokenizer.json spells it; older files lack the special texts in front.
inline constexpr std::string_view clip_pattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
inline constexpr std::string_view clip_pattern_without_specials =
    R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

/// NFC; each run of white space becomes one space; each code point is lowered alone.
[[nodiscard]] inline std::u32string normalize_clip_text(std::u32string_view text) {
  const std::u32string composed = nfc(std::u32string(text), UnicodeVersion::v9);
  std::u32string out;
  out.reserve(composed.size());
  bool in_space = false;
  for (const char32_t c : composed) {
    const bool space = is_space(c);
    if (!space) append_lower(c, out);
    if (space && !in_space) out += U' ';
    in_space = space;
  }
  return out;
}

namespace detail {

enum class CharacterClass { space, letter, number, other };

inline CharacterClass character_class(char32_t c) {
  if (is_space(c)) return CharacterClass::space;
  if (is_letter(c)) return CharacterClass::letter;
  return is_number(c) ? CharacterClass::number : CharacterClass::other;
}

/// Length of 's 't 're 've 'm 'll 'd at the start of text, 0 if it starts otherwise.
inline std::size_t contraction_length(std::u32string_view text) {
  if (text.size() < 2 || text[0] != U'\'') return 0;
  for (const char32_t c : std::u32string_view(U"stmd")) {
    if (text[1] == c) return 2;
  }
  for (const std::u32string_view two : {U"re", U"ve", U"ll"}) {
    if (text.substr(1, 2) == two) return 3;
  }
  return 0;
}

}  // namespace detail

/// Calls word(std::u32string_view) for each word of normalised text, in order, until it returns false.
template <class Word>
void for_each_clip_word(std::u32string_view text, Word&& word) {
  using detail::CharacterClass;
  // Behind the pattern, Hugging Face cuts with GPT-2's, which takes these two apart again. They get here only from text
  // in capitals: the exact ones have been cut out of the raw text.
  static constexpr std::u32string_view special[] = {U"<|startoftext|>", U"<|endoftext|>"};
  while (!text.empty()) {
    std::size_t length = 0;
    for (const std::u32string_view s : special) {
      if (text[0] != U'<' || !text.starts_with(s)) continue;
      if (!word(text.substr(0, 2)) || !word(text.substr(2, s.size() - 4)) || !word(text.substr(s.size() - 2, 2)))
        return;
      length = s.size();
    }
    if (length == 0) {
      const CharacterClass first = detail::character_class(text[0]);
      length = detail::contraction_length(text);
      if (length == 0) {
        length = 1;
        const bool run = first == CharacterClass::letter || first == CharacterClass::other;
        while (run && length < text.size() && detail::character_class(text[length]) == first) ++length;
      }
      if (first != CharacterClass::space && !word(text.substr(0, length))) return;
    }
    text.remove_prefix(length);
  }
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
