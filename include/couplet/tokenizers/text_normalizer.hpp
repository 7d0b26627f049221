#pragma once
/// The steps by which a tokenizer.json normalises a text, one after the other. The ones that tokenizers in the manner
/// of SentencePiece use; other kinds are refused when the file is read.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/character_map.hpp"
#include "couplet/tokenizers/normalization.hpp"
#include "couplet/tokenizers/sentencepiece_normalizer.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

class TextNormalizer {
 public:
  /// What is done, and the members that say how. (A variant of five structs would take a tenth of a second to compile
  /// wherever tokenizers are included.)
  struct Step {
    enum class Kind {
      lowercase,       ///< each code point alone
      replace,         ///< every `from`, which is not empty, by `to`
      replace_spaces,  ///< runs of two or more spaces by `to`
      strip,           ///< white space at the ends: at the `left` one, at the `right` one
      precompiled      ///< SentencePiece's character `map`, as tokenizers applies it
    };
    Kind kind = Kind::lowercase;
    std::string from = {}, to = {};
    bool left = false, right = false;
    std::shared_ptr<const CharacterMap> map = nullptr;
  };
  static Step lowercase() { return {.kind = Step::Kind::lowercase}; }
  static Step replace(std::string from, std::string to) {
    return {.kind = Step::Kind::replace, .from = std::move(from), .to = std::move(to)};
  }
  static Step replace_spaces(std::string to) { return {.kind = Step::Kind::replace_spaces, .to = std::move(to)}; }
  static Step strip(bool left, bool right) { return {.kind = Step::Kind::strip, .left = left, .right = right}; }
  static Step precompiled(std::shared_ptr<const CharacterMap> map) {
    return {.kind = Step::Kind::precompiled, .map = std::move(map)};
  }

  TextNormalizer() = default;  ///< changes nothing
  explicit TextNormalizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

  /// `text` is UTF-8.
  [[nodiscard]] std::string operator()(std::string text) const {
    for (const Step& step : steps_) text = apply(step, text);
    return text;
  }

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] bool has(Step::Kind kind) const {
    return std::any_of(steps_.begin(), steps_.end(), [kind](const Step& step) { return step.kind == kind; });
  }

 private:
  static std::string apply(const Step& step, const std::string& text) {
    switch (step.kind) {
      case Step::Kind::lowercase:
        return encode_utf8(lower(decode_utf8(text)));
      case Step::Kind::replace:
        return replaced(step, text);
      case Step::Kind::replace_spaces:
        return replaced_spaces(step, text);
      case Step::Kind::strip:
        return stripped(step, text);
      case Step::Kind::precompiled:
        return mapped(*step.map, text);
    }
    return text;
  }

  static std::string replaced(const Step& how, const std::string& text) {
    std::string out;
    out.reserve(text.size());
    std::size_t at = 0;
    for (std::size_t found; (found = text.find(how.from, at)) != std::string::npos; at = found + how.from.size()) {
      out.append(text, at, found - at).append(how.to);
    }
    return out.append(text, at);
  }

  static std::string replaced_spaces(const Step& how, const std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find_first_not_of(' ', at), text.size());
      if (end - at == 1) out += ' ';
      if (end - at > 1) out += how.to;
      at = std::min(text.find(' ', end), text.size());
      out.append(text, end, at - end);
    }
    return out;
  }

  static std::string stripped(const Step& how, const std::string& text) {
    const std::u32string characters = decode_utf8(text);
    std::u32string_view rest = characters;
    while (how.left && !rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    while (how.right && !rest.empty() && is_space(rest.back())) rest.remove_suffix(1);
    return encode_utf8(rest);
  }

  /// Unlike SentencePiece, tokenizers goes by grapheme clusters (UAX 29): one of fewer than six bytes is replaced as a
  /// whole by what the map has for the shortest string at its start; in others each character is looked up alone.
  static std::string mapped(const CharacterMap& map, const std::string& text) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    const auto replace = [&](std::string_view part) {
      const auto match = map.shortest_match(part);
      if (match.length > 0) out += match.replacement;
      return match.length > 0;
    };
    for (std::string_view rest = text; !rest.empty();) {
      std::string_view cluster = rest.substr(0, cluster_bytes(rest));
      rest.remove_prefix(cluster.size());
      if (cluster.size() < 6 && replace(cluster)) continue;
      while (!cluster.empty()) {
        const std::string_view character = cluster.substr(0, character_bytes(cluster[0]));
        if (!replace(character)) out += character;
        cluster.remove_prefix(character.size());
      }
    }
    return out;
  }

  /// A character and the combining marks, joiners and variation selectors behind it: of the clusters of UAX 29 those
  /// that can be shorter than six bytes.
  static std::size_t cluster_bytes(std::string_view text) {
    std::size_t at = 0;
    const char32_t first = detail::next_code_point(text, at);
    const bool control = first < 0x20 || (first >= 0x7f && first < 0xa0) || (first >= 0x2028 && first <= 0x202e);
    for (std::size_t next = at; !control && next < text.size(); at = next) {
      const char32_t c = detail::next_code_point(text, next);
      const bool joins = c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f);
      if (!joins && detail::combining_class(c, UnicodeVersion::v14) == 0) break;
    }
    return at;
  }

  std::vector<Step> steps_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
