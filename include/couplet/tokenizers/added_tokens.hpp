#pragma once
/// Tokens whose text is cut out of a text before anything else happens to it: start, end and whatever a tokenizer's
/// files add. The leftmost occurrence goes first, of several at one place the longest.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/prefix_trie.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

struct AddedToken {
  std::string content;
  std::int64_t id = -1;
  bool normalized = false;  // looked for in the normalised text instead of the raw one
  bool special = true;

  friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

/// Finds the texts of added tokens.
class TokenCutter {
 public:
  TokenCutter() = default;
  /// Of equal texts the first counts; empty ones are never found.
  explicit TokenCutter(const std::vector<std::pair<std::u32string, std::int64_t>>& tokens) {
    std::vector<std::pair<std::u32string_view, std::int32_t>> texts;
    for (const auto& [text, id] : tokens) texts.emplace_back(text, static_cast<std::int32_t>(id));
    texts_ = PrefixTrie<char32_t>(std::move(texts));
  }

  /// Calls part(view, id) for each part of the text in order, until it returns false: id is that of an added token, or
  /// -1 for the text between them, which is not empty. Whether it went to the end.
  template <class Part>
  bool cut(std::u32string_view text, Part&& part) const {
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t at = begin;
      auto found = texts_.longest_prefix(text.substr(at));
      while (found.length == 0 && ++at < text.size()) found = texts_.longest_prefix(text.substr(at));
      if (at > begin && !part(text.substr(begin, at - begin), std::int64_t{-1})) return false;
      if (found.length > 0 && !part(text.substr(at, found.length), std::int64_t{found.id})) return false;
      begin = at + found.length;
    }
    return true;
  }

 private:
  PrefixTrie<char32_t> texts_;
};

/// All added tokens of a tokenizer: most are cut out of the raw text, some out of what normalising made of the rest.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// normalize(std::u32string_view) gives a std::u32string.
  template <class Normalize>
  AddedTokens(std::vector<AddedToken> tokens, const Normalize& normalize) : tokens_(std::move(tokens)) {
    std::vector<std::pair<std::u32string, std::int64_t>> raw, normalized;
    for (const AddedToken& token : tokens_) {
      const std::u32string content = decode_utf8(token.content);
      if (token.normalized) normalized.emplace_back(normalize(content), token.id);
      if (!token.normalized) raw.emplace_back(content, token.id);
    }
    raw_ = TokenCutter(raw);
    normalized_ = TokenCutter(normalized);
  }

  /// Calls part(view, id) as TokenCutter::cut does; the text between tokens comes normalised.
  template <class Normalize, class Part>
  void cut(std::u32string_view text, const Normalize& normalize, Part&& part) const {
    raw_.cut(text, [&](std::u32string_view piece, std::int64_t id) {
      return id >= 0 ? part(piece, id) : normalized_.cut(normalize(piece), part);
    });
  }

  [[nodiscard]] const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  std::vector<AddedToken> tokens_;
  TokenCutter raw_, normalized_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
