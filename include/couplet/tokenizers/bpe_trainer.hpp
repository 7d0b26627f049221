#pragma once
/// Trains a byte-level BPE vocabulary in CLIP's layout from captions: 256 byte symbols, 256 with "</w>", the results of
/// the merges, start, end. (A trainer that keeps only the symbols it has seen turns an unseen word end into the end
/// token in the middle of a text.)
///
/// The pair of symbols with the highest count is joined, again and again. Deterministic: of equal counts the pair with
/// the smaller left id goes first, then the one with the smaller right id. A pair whose text is a token already is
/// never joined, so that every merge makes one new token.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/bpe.hpp"
#include "couplet/tokenizers/bpe_files.hpp"
#include "couplet/tokenizers/clip_text.hpp"
#include "couplet/tokenizers/clip_tokenizer.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

struct BpeTrainerOptions {
  std::size_t vocab_size = 4096;   // upper limit, start and end included; >= 514
  std::int64_t min_frequency = 2;  // pairs seen less often are not joined
  std::int64_t context_length = 77;
};

namespace detail {

/// Words longer than this many bytes (strings of symbols, encoded data) are not learned from.
inline constexpr std::size_t max_training_word = 256;

/// Bytes of each word of the captions, with how often it occurs.
inline std::unordered_map<std::string, std::int64_t> count_words(std::span<const std::string> captions) {
  const TokenCutter specials({{U"<|startoftext|>", 0}, {U"<|endoftext|>", 1}});
  std::unordered_map<std::string, std::int64_t> counts;
  std::string bytes;
  const auto word = [&](std::u32string_view w) {
    bytes.clear();
    for (const char32_t c : w) append_utf8(c, bytes);
    if (bytes.size() <= max_training_word) ++counts[bytes];
    return true;
  };
  for (const std::string& caption : captions) {
    specials.cut(decode_utf8(caption), [&](std::u32string_view part, std::int64_t id) {
      if (id < 0) for_each_clip_word(normalize_clip_text(part), word);
      return true;
    });
  }
  return counts;
}

/// Counts of all pairs of neighbours, kept up to date while pairs are joined.
class PairCounts {
 public:
  /// Ids of the byte symbols by byte, within and at the end of a word.
  PairCounts(const std::unordered_map<std::string, std::int64_t>& words, const ByteLevelBpe& symbols) {
    ByteLevelBpe::Scratch scratch;
    std::vector<std::int64_t> ids;
    for (const auto& [bytes, count] : words) {
      ids.clear();
      symbols.encode_word(bytes, scratch, ids);
      words_.push_back({std::vector<std::int32_t>(ids.begin(), ids.end()), count});
      const auto at = static_cast<std::int32_t>(words_.size() - 1);
      for (std::size_t k = 0; k + 1 < ids.size(); ++k)
        change(words_.back().symbols[k], words_.back().symbols[k + 1], at, count);
    }
    push_touched();
  }

  struct Pair {
    std::int32_t left, right;
    std::int64_t count;
  };

  /// The pair to join next, which is taken off; count 0: none left.
  Pair pop() {
    while (!heap_.empty()) {
      const auto [count, reversed] = heap_.top();
      heap_.pop();
      const std::uint64_t key = ~reversed;
      const std::int64_t now = pairs_[key].count;
      if (now == count)
        return {static_cast<std::int32_t>(key >> 32), static_cast<std::int32_t>(key & 0xffffffff), count};
      if (now > 0) heap_.emplace(now, reversed);  // it lost some since it was put here
    }
    return {0, 0, 0};
  }

  /// Replaces left, right by `joined` in all words.
  void join(std::int32_t left, std::int32_t right, std::int32_t joined) {
    std::vector<std::int32_t> places = std::move(pairs_[key_of(left, right)].words);
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    for (const std::int32_t at : places) join_in_word(at, left, right, joined);
    pairs_.erase(key_of(left, right));
    push_touched();
  }

 private:
  struct Word {
    std::vector<std::int32_t> symbols;
    std::int64_t count;
  };
  struct Entry {
    std::int64_t count = 0;
    std::vector<std::int32_t> words;  // places in words_ where the pair is or has been, some twice
  };

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
  }

  void change(std::int32_t left, std::int32_t right, std::int32_t at, std::int64_t difference) {
    Entry& entry = pairs_[key_of(left, right)];
    entry.count += difference;
    if (difference < 0) return;
    if (entry.words.empty() || entry.words.back() != at) entry.words.push_back(at);
    touched_.insert(key_of(left, right));
  }

  void join_in_word(std::int32_t at, std::int32_t left, std::int32_t right, std::int32_t joined) {
    auto& [symbols, count] = words_[static_cast<std::size_t>(at)];
    std::size_t kept = 0;
    for (std::size_t k = 0; k < symbols.size(); ++k) {
      const bool here = symbols[k] == left && k + 1 < symbols.size() && symbols[k + 1] == right;
      if (!here) {
        symbols[kept++] = symbols[k];
        continue;
      }
      if (kept > 0) {
        change(symbols[kept - 1], left, at, -count);
        change(symbols[kept - 1], joined, at, count);
      }
      if (k + 2 < symbols.size()) {
        change(right, symbols[k + 2], at, -count);
        change(joined, symbols[k + 2], at, count);
      }
      symbols[kept++] = joined;
      ++k;
    }
    symbols.resize(kept);
  }

  void push_touched() {
    for (const std::uint64_t key : touched_) {
      if (const auto found = pairs_.find(key); found != pairs_.end()) heap_.emplace(found->second.count, ~key);
    }
    touched_.clear();
  }

  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, Entry> pairs_;
  std::unordered_set<std::uint64_t> touched_;  // pairs that gained since the last push
  std::priority_queue<std::pair<std::int64_t, std::uint64_t>>
      heap_;  // (count, ~key): the smaller key of equal counts first
};

}  // namespace detail

/// Trains on captions, normalised and cut into words as the resulting tokenizer does it. The vocabulary has
/// options.vocab_size tokens, fewer if no pair is left that occurs min_frequency times.
[[nodiscard]] inline ClipTokenizer train_bpe(std::span<const std::string> captions,
                                             const BpeTrainerOptions& options = {}) {
  if (options.vocab_size < 514 || options.vocab_size > ByteLevelBpe::max_tokens) {
    fail("train_bpe", "expected a vocab_size in [514, " + std::to_string(ByteLevelBpe::max_tokens) +
                          "] (512 byte symbols, start, end), found " + std::to_string(options.vocab_size));
  }
  if (options.min_frequency < 1)
    fail("train_bpe", "expected a min_frequency >= 1, found " + std::to_string(options.min_frequency));
  std::vector<std::string> tokens = byte_symbols();
  std::unordered_set<std::string> known(tokens.begin(), tokens.end());
  known.insert({"<|startoftext|>", "<|endoftext|>"});
  detail::PairCounts pairs(detail::count_words(captions), ByteLevelBpe(tokens, {}, -1));
  std::vector<ByteLevelBpe::Merge> merges;
  while (merges.size() < options.vocab_size - 514) {
    const auto [left, right, count] = pairs.pop();
    if (count < options.min_frequency) break;
    const std::string& l = tokens[static_cast<std::size_t>(left)];
    const std::string& r = tokens[static_cast<std::size_t>(right)];
    if ((l + r).size() > ByteLevelBpe::max_token_bytes || !known.insert(l + r).second) continue;
    merges.emplace_back(l, r);
    tokens.push_back(merges.back().first + merges.back().second);
    pairs.join(left, right, static_cast<std::int32_t>(tokens.size() - 1));
  }
  tokens = clip_layout(merges);
  const auto end = static_cast<std::int64_t>(tokens.size()) - 1;
  auto bpe = std::make_shared<const ByteLevelBpe>(std::move(tokens), merges, end);
  return ClipTokenizer(std::move(bpe), {.context_length = options.context_length});
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
