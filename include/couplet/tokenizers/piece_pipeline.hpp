#pragma once
/// The rules of a tokenizer.json with pieces in the manner of SentencePiece, as Hugging Face's tokenizers (0.23) apply
/// them. Added tokens are cut out; the text between them is normalised and becomes
///   T5 and open_clip's SigLIP: words, each with U+2581 in front, each cut by unigrams, in double;
///   Gemma and SigLIP 2: one run of characters, with U+2581 for spaces, joined by byte pair encoding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/character_bpe.hpp"
#include "couplet/tokenizers/text_normalizer.hpp"
#include "couplet/tokenizers/unicode.hpp"
#include "couplet/tokenizers/unigram.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// Unigrams by word, as tokenizers' models "Unigram" has them: unknown neighbours count as one.
class WordUnigram {
 public:
  /// scores: by id; all tokens may be found in a text. The views must live on.
  WordUnigram(const std::vector<std::pair<std::string_view, std::int32_t>>& pieces, std::vector<double> scores,
              CharacterFallback fallback, PieceIds ids)
      : unigram_(pieces, scores, fallback.unknown, *std::min_element(scores.begin(), scores.end()) - unknown_penalty),
        fallback_(fallback),
        ids_(std::move(ids)) {}

  using Scratch = Unigram<double>::Scratch;

  /// Appends the ids of a word (UTF-8).
  void encode(std::string_view word, Scratch& scratch, std::vector<std::int64_t>& ids) const {
    std::string_view unknown;  // the run of unknown characters before
    const auto append = [&ids](std::int32_t id) { ids.push_back(id); };
    const auto end_unknown = [&] {
      if (unknown.empty()) return;
      // Several unknown characters may be a piece of their own, though not of the best path.
      const auto known = ids_.find(unknown);
      if (known != ids_.end()) append(known->second);
      if (known == ids_.end()) fallback_(unknown, append);
      unknown = {};
    };
    unigram_.segment(word, scratch, [&](std::int32_t id, std::string_view part) {
      if (id == fallback_.unknown) {
        unknown = unknown.empty() ? part : std::string_view(unknown.data(), unknown.size() + part.size());
      } else {
        end_unknown();
        append(id);
      }
    });
    end_unknown();
  }

 private:
  static constexpr double unknown_penalty = 10;

  Unigram<double> unigram_;
  CharacterFallback fallback_;
  PieceIds ids_;
};

/// Immutable, so one object may serve many threads.
class PiecePipeline {
 public:
  /// tokens: by id, added ones included. whitespace_split: words end at any white space, not at spaces alone.
  struct Parts {
    std::vector<std::string> tokens;
    std::vector<AddedToken> added_tokens;
    TextNormalizer normalizer;
    bool whitespace_split = true;  // for unigrams
  };

  /// make_model(tokens) gives a WordUnigram or a CharacterBpe, which may keep views of the tokens.
  template <class MakeModel>
  PiecePipeline(Parts parts, MakeModel&& make_model)
      : parts_(std::move(parts)),
        added_tokens_(parts_.added_tokens, [this](std::u32string_view text) { return normalize(text); }),
        model_(make_model(parts_.tokens)) {}
  PiecePipeline(const PiecePipeline&) = delete;  // the model may point into parts_
  PiecePipeline& operator=(const PiecePipeline&) = delete;

  /// Appends the ids of `text`, until there are more than `limit`.
  void append(std::u32string_view text, std::size_t limit, std::vector<std::int64_t>& ids) const {
    std::visit(
        [&](const auto& model) {
          typename std::decay_t<decltype(model)>::Scratch scratch;
          const auto normalize_part = [this](std::u32string_view part) { return normalize(part); };
          added_tokens_.cut(text, normalize_part, [&](std::u32string_view part, std::int64_t id) {
            if (id >= 0) ids.push_back(id);
            if (id < 0) append_part(model, part, limit, scratch, ids);
            return ids.size() <= limit;
          });
        },
        model_);
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(parts_.tokens.size()); }
  [[nodiscard]] std::string_view token(std::int64_t id) const { return parts_.tokens[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const std::vector<AddedToken>& added_tokens() const { return added_tokens_.tokens(); }
  /// Such as: byte pair encoding (lower case)
  [[nodiscard]] std::string describe() const {
    const bool words = std::holds_alternative<WordUnigram>(model_);
    return std::string(words ? "SentencePiece unigrams by word" : "byte pair encoding of characters") +
           ", as in tokenizer.json (" +
           (parts_.normalizer.has(TextNormalizer::Step::Kind::lowercase) ? "lower case)" : "case kept)");
  }

 private:
  [[nodiscard]] std::u32string normalize(std::u32string_view text) const {
    return decode_utf8(parts_.normalizer(encode_utf8(text)));
  }

  void append_part(const CharacterBpe& model, std::u32string_view part, std::size_t, CharacterBpe::Scratch& scratch,
                   std::vector<std::int64_t>& ids) const {
    model.encode(encode_utf8(part), scratch, ids);
  }

  /// A word begins at U+2581, which stands for the space before it and at the start of the part.
  void append_part(const WordUnigram& model, std::u32string_view part, std::size_t limit, WordUnigram::Scratch& scratch,
                   std::vector<std::int64_t>& ids) const {
    std::string word;
    const auto flush = [&] {
      if (!word.empty()) model.encode(word, scratch, ids);
      word.clear();
    };
    bool begins = true;
    for (const char32_t c : part) {
      const bool space = parts_.whitespace_split ? is_space(c) : c == U' ';
      const bool mark = c == U'\u2581' || (space && !parts_.whitespace_split);
      if (space || mark) flush();
      if (ids.size() > limit) return;
      if (mark || (begins && !space)) word += space_mark;
      begins = space && parts_.whitespace_split;
      if (!space && !mark) append_utf8(c, word);
    }
    flush();
  }

  Parts parts_;
  AddedTokens added_tokens_;
  std::variant<WordUnigram, CharacterBpe> model_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
