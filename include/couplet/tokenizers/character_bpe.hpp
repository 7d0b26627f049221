#pragma once
/// Byte pair encoding over characters, as SentencePiece and Gemma have it: a text is cut into its characters, and what
/// is no piece falls back to the pieces of its bytes, or to the unknown piece (neighbours count once). Then pairs are
/// joined (merge_table.hpp), across spaces too, which U+2581 stands for.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/merge_table.hpp"
#include "couplet/tokenizers/prefix_trie.hpp"
#include "couplet/tokenizers/sentencepiece_normalizer.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// Pieces by text.
using PieceIds = std::unordered_map<std::string_view, std::int32_t>;

/// Ids of the 256 pieces of bytes.
using ByteIds = std::array<std::int32_t, 256>;

/// The ids of "<0x00>" ... "<0xFF>", if all are there.
[[nodiscard]] inline std::optional<ByteIds> find_byte_pieces(const PieceIds& pieces) {
  ByteIds ids{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto found = pieces.find(byte_piece(byte));
    if (found == pieces.end()) return std::nullopt;
    ids[byte] = found->second;
  }
  return ids;
}

/// What the parts of a text become when byte pair encoding has no piece for them.
struct CharacterFallback {
  std::int32_t unknown = 0;
  std::optional<ByteIds> bytes = {};  // none: `unknown`

  /// Calls symbol(id) for each id that stands for a character.
  template <class Symbol>
  void operator()(std::string_view character, Symbol&& symbol) const {
    if (!bytes) symbol(unknown);
    if (!bytes) return;
    for (const char c : character) symbol((*bytes)[static_cast<unsigned char>(c)]);
  }
};

class CharacterBpe {
 public:
  static constexpr std::size_t max_text_bytes = std::size_t{1} << 30;
  using Scratch = MergeTable::Scratch;

  CharacterBpe() = default;
  /// symbols: what a text is cut into, the longest first: characters that are pieces, and longer ones that are never
  /// joined. Those with an id >= first_inner take part in merges but are no pieces.
  CharacterBpe(const std::vector<std::pair<std::string_view, std::int32_t>>& symbols, MergeTable merges,
               const CharacterFallback& fallback, std::int32_t first_inner)
      : symbols_(symbols), merges_(std::move(merges)), fallback_(fallback), first_inner_(first_inner) {
    for (const auto& [text, id] : symbols) {
      if (id >= first_inner) inner_.emplace_back(text);
    }
  }

  /// Appends the ids of `text` (UTF-8).
  void encode(std::string_view text, Scratch& scratch, std::vector<std::int64_t>& ids) const {
    if (text.size() > max_text_bytes) fail("tokenizer", "a text of " + std::to_string(text.size()) + " bytes");
    scratch.clear();
    while (!text.empty()) {
      auto [length, id] = symbols_.longest_prefix(text);
      if (length == 0) {
        length = std::min(text.size(), character_bytes(text[0]));
        fallback_(text.substr(0, length), [&scratch](std::int32_t part) { scratch.push(part); });
      } else {
        scratch.push(id);
      }
      text.remove_prefix(length);
    }
    bool after_unknown = false;
    const auto append = [&](std::int32_t id) {
      if (id != fallback_.unknown || !after_unknown) ids.push_back(id);
      after_unknown = id == fallback_.unknown;
    };
    merges_.join(scratch, [&](std::int32_t id) {
      if (id < first_inner_) append(id);
      if (id >= first_inner_) fallback_(inner_[static_cast<std::size_t>(id - first_inner_)], append);
    });
  }

 private:
  PrefixTrie<char> symbols_;
  MergeTable merges_;
  CharacterFallback fallback_;
  std::vector<std::string> inner_;  // texts of the symbols from first_inner_ on, in the order of their ids
  std::int32_t first_inner_ = 0;
};

/// Every way to make a piece of two others, in the order of the pieces' ids, shorter left halves first: the merges that
/// a vocabulary without a list of them stands for. The rank of each is its place.
[[nodiscard]] inline std::vector<MergeTable::Merge> merges_of_pieces(
    const std::vector<std::pair<std::string_view, std::int32_t>>& results, const PieceIds& halves) {
  std::vector<MergeTable::Merge> merges;
  for (const auto& [text, id] : results) {
    for (std::size_t at = character_bytes(text[0]); at < text.size(); at += character_bytes(text[at])) {
      const auto left = halves.find(text.substr(0, at));
      if (left == halves.end()) continue;
      const auto right = halves.find(text.substr(at));
      if (right == halves.end()) continue;
      merges.push_back({left->second, right->second, static_cast<std::int32_t>(merges.size()), id});
    }
  }
  return merges;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
