#pragma once
/// Byte-level byte pair encoding with CLIP's end-of-word mark: R. Sennrich et al., "Neural Machine Translation of Rare
/// Words with Subword Units" (ACL 2016), on the bytes of UTF-8 as in GPT-2.
///
/// A word is a sequence of byte symbols, the last of which carries "</w>"; its pairs are joined in the order of the
/// list of merges (merge_table.hpp).
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/merge_table.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

inline constexpr std::string_view end_of_word = "</w>";

/// The printable stand-in of every byte (GPT-2): itself for 33..126, 161..172, 174..255, else U+0100 + n in byte order.
inline const std::array<char32_t, 256>& byte_characters() {
  static const std::array<char32_t, 256> table = [] {
    std::array<char32_t, 256> all{};
    char32_t next = 0x100;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
      all[b] = printable ? b : next++;
    }
    return all;
  }();
  return table;
}

/// The first 512 tokens of CLIP's layout: the byte symbols in the order of their characters (33..126, 161..172,
/// 174..255, then the stand-ins), and the same with "</w>".
inline std::vector<std::string> byte_symbols() {
  std::array<char32_t, 256> characters = byte_characters();
  std::sort(characters.begin(), characters.end());
  std::vector<std::string> symbols;
  for (const char32_t c : characters) symbols.push_back(encode_utf8(std::u32string_view(&c, 1)));
  for (std::size_t k = 0; k < 256; ++k) symbols.push_back(symbols[k] + std::string(end_of_word));
  return symbols;
}

/// Vocabulary and merges; immutable, so one object may serve many threads.
class ByteLevelBpe {
 public:
  using Merge = std::pair<std::string, std::string>;
  static constexpr std::size_t max_tokens = std::size_t{1} << 20;
  static constexpr std::size_t max_token_bytes = 4096;
  static constexpr std::size_t max_word_bytes = std::size_t{1} << 30;

  /// tokens[id] is the text of a token; merges come in order of rank; `unknown` is the id of byte symbols that the
  /// vocabulary lacks, or -1 to leave them out. The sources are the files to name in a file_error: empty, long or
  /// repeated tokens, text that is not UTF-8; merges that are repeated or whose halves or result are no tokens.
  ByteLevelBpe(std::vector<std::string> tokens, const std::vector<Merge>& merges, std::int64_t unknown,
               const std::string& source = "", const std::string& merges_source = "")
      : tokens_(std::move(tokens)), unknown_(static_cast<std::int32_t>(unknown)) {
    index_tokens(source);
    if (unknown < -1 || unknown >= size()) fail("ByteLevelBpe", "unknown id " + std::to_string(unknown));
    index_merges(merges, merges_source);
    for (std::size_t b = 0; b < 256; ++b) {
      const std::string symbol = encode_utf8(std::u32string_view(&byte_characters()[b], 1));
      const auto inner = find(symbol), last = find(symbol + std::string(end_of_word));
      inner_[b] = inner < 0 ? unknown_ : static_cast<std::int32_t>(inner);
      last_[b] = last < 0 ? unknown_ : static_cast<std::int32_t>(last);
    }
  }
  ByteLevelBpe(const ByteLevelBpe&) = delete;  // ids_ points into tokens_
  ByteLevelBpe& operator=(const ByteLevelBpe&) = delete;

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  [[nodiscard]] std::int64_t unknown() const { return unknown_; }
  [[nodiscard]] const std::string& token(std::int64_t id) const { return tokens_.at(static_cast<std::size_t>(id)); }
  /// Id of a token's text, -1 if there is none.
  [[nodiscard]] std::int64_t find(std::string_view text) const {
    const auto found = ids_.find(text);
    return found == ids_.end() ? -1 : found->second;
  }
  [[nodiscard]] std::size_t merge_count() const { return halves_.size(); }
  /// The two halves of the merge of a rank.
  [[nodiscard]] std::pair<std::string_view, std::string_view> merge(std::size_t rank) const {
    const auto [left, right] = halves_.at(rank);
    return {token(left), token(right)};
  }

  using Scratch = MergeTable::Scratch;

  /// Appends the ids of one word of bytes.
  void encode_word(std::string_view word, Scratch& scratch, std::vector<std::int64_t>& ids) const {
    if (word.size() > max_word_bytes) fail("tokenizer", "a word of " + std::to_string(word.size()) + " bytes");
    scratch.clear();
    for (std::size_t k = 0; k < word.size(); ++k) {
      const auto byte = static_cast<unsigned char>(word[k]);
      const std::int32_t id = k + 1 < word.size() ? inner_[byte] : last_[byte];
      if (id >= 0) scratch.push(id);
    }
    table_.join(scratch, [&ids](std::int32_t id) { ids.push_back(id); });
  }

 private:
  void index_tokens(const std::string& source) {
    const auto refuse = [&](std::size_t id, const std::string& why) {
      throw file_error(source, "token " + std::to_string(id) + " \"" + printable(tokens_[id]) + "\": " + why);
    };
    if (tokens_.empty() || tokens_.size() > max_tokens) {
      throw file_error(
          source, "expected 1 to " + std::to_string(max_tokens) + " tokens, found " + std::to_string(tokens_.size()));
    }
    ids_.reserve(tokens_.size());
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      const std::string& text = tokens_[id];
      if (text.empty()) refuse(id, "expected a text, found none");
      if (text.size() > max_token_bytes) refuse(id, "longer than " + std::to_string(max_token_bytes) + " bytes");
      if (!valid_utf8(text)) refuse(id, "not UTF-8");
      if (!ids_.emplace(text, static_cast<std::int32_t>(id)).second) refuse(id, "the same text is in the list twice");
    }
  }

  void index_merges(const std::vector<Merge>& merges, const std::string& source) {
    if (merges.size() > max_tokens) throw file_error(source, "more than " + std::to_string(max_tokens) + " merges");
    std::vector<MergeTable::Merge> table;
    table.reserve(merges.size());
    for (const auto& [left, right] : merges) {
      const auto refuse = [&, &l = left, &r = right](const std::string& why) {
        throw file_error(
            source, "merge " + std::to_string(table.size()) + " \"" + printable(l) + " " + printable(r) + "\": " + why);
      };
      const auto a = find(left), b = find(right), joined = find(left + right);
      if (a < 0) refuse("the left half is not in the vocabulary");
      if (b < 0) refuse("the right half is not in the vocabulary");
      if (joined < 0) refuse("\"" + printable(left + right) + "\" is not in the vocabulary");
      table.push_back({static_cast<std::int32_t>(a), static_cast<std::int32_t>(b),
                       static_cast<std::int32_t>(table.size()), static_cast<std::int32_t>(joined)});
      halves_.emplace_back(static_cast<std::int32_t>(a), static_cast<std::int32_t>(b));
    }
    table_ = MergeTable(std::move(table));
    if (const auto twice = table_.repeated()) {
      throw file_error(
          source, "merge " + std::to_string(twice->second) + ": the same as merge " + std::to_string(twice->first));
    }
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, std::int32_t> ids_;
  MergeTable table_;
  std::vector<std::pair<std::int32_t, std::int32_t>> halves_;  // of the merges, by rank
  std::array<std::int32_t, 256> inner_{}, last_{};             // id of a byte within and at the end of a word
  std::int32_t unknown_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
