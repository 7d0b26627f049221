#pragma once
/// How SentencePiece (0.2.3, measured) normalises a text before it cuts it into pieces: user-defined pieces are copied,
/// what the character map knows is replaced (longest match first), spaces are squeezed, become U+2581 and get one in
/// front. All of it in UTF-8.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/character_map.hpp"
#include "couplet/tokenizers/prefix_trie.hpp"
#include "couplet/tokenizers/sentencepiece_model.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

inline constexpr std::string_view space_mark = "\xe2\x96\x81";  // U+2581, which stands for a space in pieces

/// Bytes of the UTF-8 character with this first byte.
[[nodiscard]] inline std::size_t character_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

class SentencePieceNormalizer {
 public:
  SentencePieceNormalizer() = default;
  /// The rules of a model. file_error: its character map is damaged.
  SentencePieceNormalizer(const SentencePieceModel& model, const std::string& file)
      : map_(model.character_map, file),
        add_dummy_prefix_(model.add_dummy_prefix),
        remove_extra_whitespaces_(model.remove_extra_whitespaces),
        escape_whitespaces_(model.escape_whitespaces) {
    std::vector<std::pair<std::string_view, std::int32_t>> user;
    for (const auto& piece : model.pieces) {
      if (piece.type == SentencePieceModel::PieceType::user_defined) user.emplace_back(piece.text, 0);
    }
    user_defined_ = PrefixTrie<char>(std::move(user));
  }

  /// `text` is UTF-8. Linear time.
  [[nodiscard]] std::string operator()(std::string_view text) const {
    std::string out;
    if (remove_extra_whitespaces_) {
      while (!text.empty()) {
        const Step step = first(text);
        if (step.replacement != " ") break;
        text.remove_prefix(step.length);
      }
    }
    if (text.empty()) return out;
    out.reserve(text.size() + text.size() / 2);
    if (add_dummy_prefix_) append(" ", out);
    bool after_space = remove_extra_whitespaces_;
    while (!text.empty()) {
      auto [replacement, length] = first(text);
      text.remove_prefix(length);
      while (after_space && replacement.starts_with(' ')) replacement.remove_prefix(1);
      if (replacement.empty()) continue;
      append(replacement, out);
      after_space = remove_extra_whitespaces_ && replacement.ends_with(' ');
    }
    const std::string_view space = escape_whitespaces_ ? space_mark : " ";
    while (remove_extra_whitespaces_ && out.ends_with(space)) out.resize(out.size() - space.size());
    return out;
  }

 private:
  struct Step {
    std::string_view replacement;
    std::size_t length;  // bytes of the text it replaces
  };
  [[nodiscard]] Step first(std::string_view text) const {
    if (const std::size_t length = user_defined_.longest_prefix(text).length; length > 0) {
      return {text.substr(0, length), length};
    }
    if (const auto match = map_.longest_match(text); match.length > 0) return {match.replacement, match.length};
    const std::string_view character = text.substr(0, character_bytes(text[0]));
    return {character, character.size()};
  }

  void append(std::string_view replacement, std::string& out) const {
    if (!escape_whitespaces_) {
      out += replacement;
      return;
    }
    for (const char c : replacement) {
      if (c == ' ') out += space_mark;
      if (c != ' ') out += c;
    }
  }

  CharacterMap map_;
  PrefixTrie<char> user_defined_;
  bool add_dummy_prefix_ = true;
  bool remove_extra_whitespaces_ = true;
  bool escape_whitespaces_ = true;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
