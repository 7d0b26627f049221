#pragma once
/// The steps by which a tokenizer.json normalises a text, one after the other. The ones that tokenizers in the manner
/// of SentencePiece use; other kinds are refused when the file is read.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/character_map.hpp"
#include "couplet/tokenizers/normalization.hpp"
#include "couplet/tokenizers/sentencepiece_normalizer.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

class TextNormalizer {
 public:
  /// Each code point alone.
  struct Lowercase {};
  /// Every `from`, which is not empty.
  struct Replace {
    std::string from, to;
  };
  /// Runs of two or more spaces.
  struct ReplaceSpaces {
    std::string to;
  };
  /// White space at the ends.
  struct Strip {
    bool left, right;
  };
  /// SentencePiece's character map, as tokenizers applies it.
  using Precompiled = std::shared_ptr<const CharacterMap>;
  using Step = std::variant<Lowercase, Replace, ReplaceSpaces, Strip, Precompiled>;

  TextNormalizer() = default;  ///< changes nothing
  explicit TextNormalizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

  /// `text` is UTF-8.
  [[nodiscard]] std::string operator()(std::string text) const {
    for (const Step& step : steps_) {
      text = std::visit([&text](const auto& how) { return apply(how, std::move(text)); }, step);
    }
    return text;
  }

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  template <class Kind>
  [[nodiscard]] bool has() const {
    return std::any_of(steps_.begin(), steps_.end(), [](const Step& s) { return std::holds_alternative<Kind>(s); });
  }

 private:
  static std::string apply(const Lowercase&, const std::string& text) { return encode_utf8(lower(decode_utf8(text))); }

  static std::string apply(const Replace& how, const std::string& text) {
    std::string out;
    out.reserve(text.size());
    std::size_t at = 0;
    for (std::size_t found; (found = text.find(how.from, at)) != std::string::npos; at = found + how.from.size()) {
      out.append(text, at, found - at).append(how.to);
    }
    return out.append(text, at);
  }

  static std::string apply(const ReplaceSpaces& how, const std::string& text) {
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

  static std::string apply(const Strip& how, const std::string& text) {
    const std::u32string characters = decode_utf8(text);
    std::u32string_view rest = characters;
    while (how.left && !rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    while (how.right && !rest.empty() && is_space(rest.back())) rest.remove_suffix(1);
    return encode_utf8(rest);
  }

  /// Unlike SentencePiece, tokenizers goes by grapheme clusters (UAX 29): one of fewer than six bytes is replaced as a
  /// whole by what the map has for the shortest string at its start; in others each character is looked up alone.
  static std::string apply(const Precompiled& map, const std::string& text) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    const auto replace = [&](std::string_view part) {
      const auto match = map->shortest_match(part);
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
