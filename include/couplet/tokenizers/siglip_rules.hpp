#pragma once
/// The rules of SiglipTokenizer (transformers 5, measured): SentencePiece behind a text that is lowered and stripped of
/// ASCII punctuation.
///
/// The text gets U+2581 in front, and loses its own. The texts of added tokens (</s>, <unk>) are cut out. Every other
/// part is lowered as in Python, loses !"#$%&'()*+,-./:;<=>?@[\]^_`{|}~ and superfluous white space, and is encoded
/// behind "<unk>", whose ids are dropped: so a part after an added token gets no U+2581 of its own. U+2581 alone in
/// front of an added token goes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/open_clip_text.hpp"
#include "couplet/tokenizers/sentencepiece.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// Lower case (if `lower_case`), no ASCII punctuation, one space between words, none at the ends.
[[nodiscard]] inline std::u32string canonicalize_siglip_text(std::u32string_view text, bool lower_case) {
  return join_words(lower_case ? python_lower(text) : std::u32string(text), Punctuation::remove);
}

/// Immutable, so one object may serve many threads.
class SiglipRules {
 public:
  /// tokens: the added tokens, with ids of pieces or the next ones. unknown: the text of the unknown token.
  SiglipRules(std::shared_ptr<const SentencePiece> pieces, std::vector<AddedToken> tokens, std::string unknown,
              bool lower_case)
      : pieces_(std::move(pieces)), prefix_(std::move(unknown)), lower_case_(lower_case) {
    for (const AddedToken& token : tokens) {
      if (token.id >= pieces_->size()) more_.push_back(token.content);
    }
    for (AddedToken& token : tokens) token.normalized = false;  // whatever they say, in this class
    added_tokens_ = AddedTokens(std::move(tokens), [](std::u32string_view text) { return std::u32string(text); });
    space_mark_ = pieces_->find(space_mark);
    SentencePiece::Scratch scratch;
    std::vector<std::int64_t> ids;
    pieces_->encode(prefix_, scratch, ids);
    prefix_ids_ = ids.size();
  }

  /// Appends the ids of `text`, until there are more than `limit`.
  void append(std::u32string_view text, std::size_t limit, std::vector<std::int64_t>& ids) const {
    std::u32string marked(1, U'\u2581');
    marked += text;
    std::replace(marked.begin() + 1, marked.end(), U'\u2581', U' ');
    const std::size_t begin = ids.size();
    const auto same = [](std::u32string_view part) { return std::u32string(part); };
    SentencePiece::Scratch scratch;
    added_tokens_.cut(marked, same, [&](std::u32string_view part, std::int64_t id) {
      if (id < 0) append_part(part, scratch, ids);
      const bool lone_mark = ids.size() == begin + 1 && ids.back() == space_mark_;
      if (lone_mark && id >= 0 && is_special(id)) ids.pop_back();
      if (id >= 0) ids.push_back(id);
      return ids.size() <= limit;
    });
  }

  [[nodiscard]] std::int64_t size() const { return pieces_->size() + static_cast<std::int64_t>(more_.size()); }
  [[nodiscard]] std::string_view token(std::int64_t id) const {
    if (id < pieces_->size()) return pieces_->piece(id).text;
    return more_[static_cast<std::size_t>(id - pieces_->size())];
  }
  [[nodiscard]] const std::vector<AddedToken>& added_tokens() const { return added_tokens_.tokens(); }
  [[nodiscard]] std::string describe() const {
    const bool bpe = pieces_->algorithm() == SentencePiece::Algorithm::bpe;
    return std::string(bpe ? "SentencePiece byte pair encoding" : "SentencePiece unigrams") + " as SiglipTokenizer (" +
           (lower_case_ ? "lower case" : "case kept") + ", no punctuation)";
  }

 private:
  [[nodiscard]] bool is_special(std::int64_t id) const {
    const auto& tokens = added_tokens_.tokens();
    return std::any_of(tokens.begin(), tokens.end(), [id](const AddedToken& t) { return t.id == id && t.special; });
  }

  void append_part(std::u32string_view part, SentencePiece::Scratch& scratch, std::vector<std::int64_t>& ids) const {
    const std::size_t begin = ids.size();
    pieces_->encode(prefix_ + encode_utf8(canonicalize_siglip_text(part, lower_case_)), scratch, ids);
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
    if (ids.size() - begin >= prefix_ids_) ids.erase(first, first + static_cast<std::ptrdiff_t>(prefix_ids_));
  }

  std::shared_ptr<const SentencePiece> pieces_;
  AddedTokens added_tokens_;
  std::vector<std::string> more_;  // texts of added tokens behind the pieces
  std::int64_t space_mark_ = -1;   // id of U+2581
  std::string prefix_;             // "<unk>"
  std::size_t prefix_ids_ = 0;     // how many ids it has
  bool lower_case_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
