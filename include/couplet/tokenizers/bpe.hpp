#pragma once
/// Byte-level byte pair encoding with CLIP's end-of-word mark: R. Sennrich et al., "Neural Machine Translation of Rare
/// Words with Subword Units" (ACL 2016), on the bytes of UTF-8 as in GPT-2.
///
/// A word is a sequence of byte symbols, the last of which carries "</w>". The neighbouring pair of lowest rank (place
/// in the list of merges) is joined, the leftmost of equals first, until no pair is in the list. A heap of candidate
/// pairs over a linked list makes that O(n log n) for a word of n bytes.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
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
  [[nodiscard]] std::size_t merge_count() const { return merged_.size(); }
  /// The two halves of the merge of a rank.
  [[nodiscard]] std::pair<std::string_view, std::string_view> merge(std::size_t rank) const {
    const std::uint64_t key = merged_.at(rank).key;
    return {tokens_[key >> 32], tokens_[key & 0xffffffff]};
  }

  /// Buffers of encode_word, to be reused from word to word.
  struct Scratch {
    struct Symbol {
      std::int32_t id, previous, next, rank;  // rank: of the pair (this, next)
    };
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> heap;  // rank << 32 | place of the left half
  };

  /// Appends the ids of one word of bytes.
  void encode_word(std::string_view word, Scratch& scratch, std::vector<std::int64_t>& ids) const {
    if (word.size() > max_word_bytes) fail("tokenizer", "a word of " + std::to_string(word.size()) + " bytes");
    auto& symbols = scratch.symbols;
    symbols.clear();
    for (std::size_t k = 0; k < word.size(); ++k) {
      const auto byte = static_cast<unsigned char>(word[k]);
      const std::int32_t id = k + 1 < word.size() ? inner_[byte] : last_[byte];
      if (id < 0) continue;
      const auto place = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({id, place - 1, place + 1, no_rank});
    }
    if (symbols.empty()) return;
    symbols.back().next = -1;
    join_pairs(scratch);
    for (std::int32_t at = 0; at >= 0; at = symbols[static_cast<std::size_t>(at)].next) {
      ids.push_back(symbols[static_cast<std::size_t>(at)].id);
    }
  }

 private:
  struct Joined {
    std::uint64_t key;    // left id << 32 | right id
    std::int32_t result;  // id of the joined token
  };
  static constexpr std::int32_t no_rank = std::numeric_limits<std::int32_t>::max();

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
    merged_.reserve(merges.size());
    for (const auto& [left, right] : merges) {
      const auto refuse = [&, &l = left, &r = right](const std::string& why) {
        throw file_error(source, "merge " + std::to_string(merged_.size()) + " \"" + printable(l) + " " + printable(r) +
                                     "\": " + why);
      };
      const auto a = find(left), b = find(right), joined = find(left + right);
      if (a < 0) refuse("the left half is not in the vocabulary");
      if (b < 0) refuse("the right half is not in the vocabulary");
      if (joined < 0) refuse("\"" + printable(left + right) + "\" is not in the vocabulary");
      merged_.push_back(
          {static_cast<std::uint64_t>(a) << 32 | static_cast<std::uint64_t>(b), static_cast<std::int32_t>(joined)});
    }
    order_.resize(merged_.size());
    for (std::size_t rank = 0; rank < order_.size(); ++rank)
      order_[rank] = {merged_[rank].key, static_cast<std::int32_t>(rank)};
    std::sort(order_.begin(), order_.end());
    first_.assign(tokens_.size() + 1, 0);
    for (std::size_t k = 0; k < order_.size(); ++k) {
      if (k > 0 && order_[k].first == order_[k - 1].first) {
        throw file_error(source, "merge " + std::to_string(order_[k].second) + ": the same as merge " +
                                     std::to_string(order_[k - 1].second));
      }
      ++first_[(order_[k].first >> 32) + 1];
    }
    for (std::size_t id = 0; id < tokens_.size(); ++id) first_[id + 1] += first_[id];
  }

  /// Rank of a pair of ids, no_rank if it is not in the list.
  [[nodiscard]] std::int32_t rank(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
    const auto l = static_cast<std::size_t>(left);
    const auto end = order_.begin() + first_[l + 1];
    const auto found =
        std::lower_bound(order_.begin() + first_[l], end, std::pair<std::uint64_t, std::int32_t>{key, 0});
    return found != end && found->first == key ? found->second : no_rank;
  }

  void join_pairs(Scratch& scratch) const {
    auto& symbols = scratch.symbols;
    auto& heap = scratch.heap;
    const auto at = [&symbols](std::int32_t k) -> Scratch::Symbol& { return symbols[static_cast<std::size_t>(k)]; };
    heap.clear();
    const auto candidate = [&](std::int32_t k) {
      Scratch::Symbol& left = at(k);
      left.rank = left.next < 0 ? no_rank : rank(left.id, at(left.next).id);
      if (left.rank != no_rank)
        heap.push_back(static_cast<std::uint64_t>(left.rank) << 32 | static_cast<std::uint64_t>(k));
      return left.rank != no_rank;
    };
    const auto later = std::greater<>();
    for (std::int32_t k = 0; k >= 0; k = at(k).next) candidate(k);
    std::make_heap(heap.begin(), heap.end(), later);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), later);
      const std::uint64_t top = heap.back();
      heap.pop_back();
      const auto k = static_cast<std::int32_t>(top & 0xffffffff);
      Scratch::Symbol& left = at(k);
      if (left.rank != static_cast<std::int32_t>(top >> 32)) continue;  // joined meanwhile, or its neighbour was
      Scratch::Symbol& right = at(left.next);
      left.id = merged_[static_cast<std::size_t>(left.rank)].result;
      left.next = right.next;
      right.rank = no_rank;
      if (left.next >= 0) at(left.next).previous = k;
      if (candidate(k)) std::push_heap(heap.begin(), heap.end(), later);
      if (left.previous >= 0 && candidate(left.previous)) std::push_heap(heap.begin(), heap.end(), later);
    }
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, std::int32_t> ids_;
  std::vector<Joined> merged_;                                 // by rank
  std::vector<std::pair<std::uint64_t, std::int32_t>> order_;  // (key, rank), sorted
  std::vector<std::ptrdiff_t> first_;                          // order_[first_[id]..first_[id + 1]) have this left half
  std::array<std::int32_t, 256> inner_{}, last_{};             // id of a byte within and at the end of a word
  std::int32_t unknown_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
