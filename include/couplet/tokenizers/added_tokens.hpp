#pragma once
/// Tokens whose text is cut out of a text before anything else happens to it: start, end and whatever a tokenizer's
/// files add. The leftmost occurrence goes first, of several at one place the longest.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
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
  /// Empty texts are never found.
  void add(std::u32string content, std::int64_t id) {
    if (content.empty()) return;
    const auto by_length = [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); };
    tokens_.emplace_back(std::move(content), id);
    std::stable_sort(tokens_.begin(), tokens_.end(), by_length);
    first_characters_.clear();
    for (const auto& token : tokens_) {
      if (first_characters_.find(token.first[0]) == std::u32string::npos) first_characters_ += token.first[0];
    }
  }

  /// Calls part(view, id) for each part of the text in order, until it returns false: id is that of an added token, or
  /// -1 for the text between them, which is not empty.
  template <class Part>
  void cut(std::u32string_view text, Part&& part) const {
    for (std::size_t begin = 0; begin < text.size();) {
      const Found found = find(text, begin);
      if (found.at > begin && !part(text.substr(begin, found.at - begin), std::int64_t{-1})) return;
      if (found.id >= 0 && !part(text.substr(found.at, found.length), found.id)) return;
      begin = found.at + found.length;
    }
  }

 private:
  struct Found {
    std::size_t at, length;
    std::int64_t id;
  };

  /// The first added token from `at` on; at = text.size() and id = -1 if there is none.
  [[nodiscard]] Found find(std::u32string_view text, std::size_t at) const {
    while ((at = text.find_first_of(first_characters_, at)) != std::u32string_view::npos) {
      for (const auto& [content, id] : tokens_) {
        if (text.substr(at, content.size()) == content) return {at, content.size(), id};
      }
      ++at;
    }
    return {text.size(), 0, -1};
  }

  std::vector<std::pair<std::u32string, std::int64_t>> tokens_;  // longest first
  std::u32string first_characters_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
