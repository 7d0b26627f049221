#pragma once
/// Unigram segmentation: of all ways to cut a text into pieces, the one with the largest sum of scores (log
/// probabilities). T. Kudo, "Subword Regularization" (ACL 2018), section 3.2: Viterbi.
///
/// Sums run from left to right and a later path wins only if it is strictly better, so that ties, and near ties that
/// rounding decides, fall as in the original: Score is float for SentencePiece, double for Hugging Face's tokenizers.
/// One pass; 12 (16) bytes per byte of text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/prefix_trie.hpp"
#include "couplet/tokenizers/sentencepiece_normalizer.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

template <class Score>
class Unigram {
 public:
  static constexpr std::size_t max_text_bytes = std::size_t{1} << 30;

  Unigram() = default;
  /// pieces: text and id of what may be found in a text; scores by id; a character that is no piece of its own counts
  /// as `unknown`, with `unknown_score`.
  Unigram(std::vector<std::pair<std::string_view, std::int32_t>> pieces, std::vector<Score> scores,
          std::int32_t unknown, Score unknown_score)
      : pieces_(std::move(pieces)), scores_(std::move(scores)), unknown_(unknown), unknown_score_(unknown_score) {}

  /// Buffers of segment, to be reused from text to text.
  struct Scratch {
    struct Node {  // of the best path that ends before a byte
      Score score;
      std::uint32_t begin;  // of its last piece
      std::int32_t id;      // of that piece; not_reached
    };
    std::vector<Node> nodes;
    std::vector<std::uint32_t> ends;
  };

  /// Calls piece(id, part of the text) for the pieces of `text` (UTF-8) in order.
  template <class Piece>
  void segment(std::string_view text, Scratch& scratch, Piece&& piece) const {
    if (text.size() > max_text_bytes) fail("tokenizer", "a text of " + std::to_string(text.size()) + " bytes");
    auto& nodes = scratch.nodes;
    nodes.assign(text.size() + 1, {Score(0), 0, not_reached});
    const auto offer = [&nodes](std::size_t begin, std::size_t end, std::int32_t id, Score score) {
      auto& node = nodes[end];
      const Score sum = nodes[begin].score + score;
      if (node.id == not_reached || sum > node.score) node = {sum, static_cast<std::uint32_t>(begin), id};
    };
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t next = std::min(text.size(), at + character_bytes(text[at]));
      bool single = false;  // whether the character alone is a piece
      pieces_.for_each_prefix(text.substr(at), [&](std::size_t length, std::int32_t id) {
        offer(at, at + length, id, scores_[static_cast<std::size_t>(id)]);
        single = single || at + length == next;
      });
      if (!single) offer(at, next, unknown_, unknown_score_);
      at = next;
    }
    auto& ends = scratch.ends;
    ends.clear();
    for (std::size_t end = text.size(); end > 0; end = nodes[end].begin)
      ends.push_back(static_cast<std::uint32_t>(end));
    for (std::size_t k = ends.size(); k-- > 0;) {
      const auto& node = nodes[ends[k]];
      piece(node.id, text.substr(node.begin, ends[k] - node.begin));
    }
  }

 private:
  static constexpr std::int32_t not_reached = -1;

  PrefixTrie<char> pieces_;
  std::vector<Score> scores_;
  std::int32_t unknown_ = 0;
  Score unknown_score_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
