#pragma once
/// SentencePiece alone: UTF-8 text to ids as its own processor (0.2.3) makes them, by unigrams or byte pair encoding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/character_bpe.hpp"
#include "couplet/tokenizers/sentencepiece_model.hpp"
#include "couplet/tokenizers/sentencepiece_normalizer.hpp"
#include "couplet/tokenizers/unigram.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// Immutable, so one object may serve many threads.
class SentencePiece {
 public:
  using Algorithm = SentencePieceModel::Algorithm;

  /// `file` is named in errors. file_error: a damaged character map; BPE with unused pieces, which is not supported.
  explicit SentencePiece(SentencePieceModel model, const std::string& file = "")
      : model_(std::move(model)), normalizer_(model_, file) {
    for (std::size_t id = 0; id < model_.pieces.size(); ++id) {
      const auto& piece = model_.pieces[id];
      ids_.emplace(piece.text, static_cast<std::int32_t>(id));
      if (piece.type == Type::unknown) fallback_.unknown = static_cast<std::int32_t>(id);
    }
    if (model_.byte_fallback) fallback_.bytes = find_byte_pieces(ids_);
    if (model_.algorithm == Algorithm::unigram) build_unigram();
    if (model_.algorithm == Algorithm::bpe) build_bpe(file);
    model_.character_map.clear();  // the normalizer has its own form of it
  }
  SentencePiece(const SentencePiece&) = delete;  // ids_ points into model_
  SentencePiece& operator=(const SentencePiece&) = delete;

  /// Buffers of encode, to be reused from text to text.
  struct Scratch {
    Unigram<float>::Scratch unigram;
    CharacterBpe::Scratch bpe;
  };

  /// Appends the ids of `text`, which is UTF-8.
  void encode(std::string_view text, Scratch& scratch, std::vector<std::int64_t>& ids) const {
    const std::string normalized = normalizer_(text);
    if (model_.algorithm == Algorithm::bpe) return bpe_.encode(normalized, scratch.bpe, ids);
    bool after_unknown = false;
    unigram_.segment(normalized, scratch.unigram, [&](std::int32_t id, std::string_view part) {
      const bool unknown = id == fallback_.unknown;
      if (!unknown) ids.push_back(id);
      // Neighbouring unknown characters are one id, but one per byte where there are pieces for bytes.
      if (unknown && (fallback_.bytes || !after_unknown)) {
        fallback_(part, [&ids](std::int32_t piece) { ids.push_back(piece); });
      }
      after_unknown = unknown;
    });
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(model_.pieces.size()); }
  [[nodiscard]] const SentencePieceModel::Piece& piece(std::int64_t id) const {
    return model_.pieces.at(static_cast<std::size_t>(id));
  }
  /// Id of a piece's text, -1 if there is none.
  [[nodiscard]] std::int64_t find(std::string_view text) const {
    const auto found = ids_.find(text);
    return found == ids_.end() ? -1 : found->second;
  }
  [[nodiscard]] std::int64_t unknown() const { return fallback_.unknown; }
  [[nodiscard]] Algorithm algorithm() const { return model_.algorithm; }

 private:
  using Type = SentencePieceModel::PieceType;

  void build_unigram() {
    constexpr float unknown_penalty = 10;
    std::vector<std::pair<std::string_view, std::int32_t>> found;
    std::vector<float> scores;
    float lowest = std::numeric_limits<float>::max();
    for (const auto& piece : model_.pieces) {
      const auto id = static_cast<std::int32_t>(scores.size());
      if (piece.type == Type::normal || piece.type == Type::user_defined) found.emplace_back(piece.text, id);
      if (piece.type == Type::normal) lowest = std::min(lowest, piece.score);
      // A user-defined piece wins over what it is made of, whatever its own score (measured; older releases differ).
      const bool user = piece.type == Type::user_defined;
      scores.push_back(user ? 0.1F * static_cast<float>(piece.text.size() - 1) : piece.score);
    }
    if (lowest == std::numeric_limits<float>::max()) lowest = 0;
    unigram_ = Unigram<float>(std::move(found), std::move(scores), fallback_.unknown, lowest - unknown_penalty);
  }

  void build_bpe(const std::string& file) {
    std::vector<std::pair<std::string_view, std::int32_t>> symbols, normal;
    PieceIds halves;
    std::int32_t next_id = static_cast<std::int32_t>(size());
    for (std::int32_t id = 0; id < next_id; ++id) {
      const auto& piece = this->piece(id);
      if (piece.type == Type::unused) throw file_error(file, "byte pair encoding with unused pieces is not supported");
      const bool character = piece.text.size() == character_bytes(piece.text[0]);
      const bool user = piece.type == Type::user_defined;
      if (user || (piece.type == Type::normal && character)) symbols.emplace_back(piece.text, id);
      if (piece.type == Type::normal) normal.emplace_back(piece.text, id);
      if (piece.type == Type::normal) halves.emplace(piece.text, id);
    }
    // Characters of pieces that are no pieces themselves.
    const std::int32_t first_inner = next_id;
    for (std::size_t k = 0, count = normal.size(); k < count; ++k) {
      const std::string_view text = normal[k].first;
      for (std::size_t at = 0; at < text.size(); at += character_bytes(text[at])) {
        const std::string_view character = text.substr(at, character_bytes(text[at]));
        const auto known = ids_.find(character);
        const bool user = known != ids_.end() && piece(known->second).type == Type::user_defined;
        if (user || !halves.emplace(character, next_id).second) continue;
        symbols.emplace_back(character, next_id++);
      }
    }
    auto merges = merges_of_pieces(normal, halves);
    const auto ranks = ranks_by_score();
    for (auto& merge : merges) merge.rank = ranks[static_cast<std::size_t>(merge.result)];
    bpe_ = CharacterBpe(symbols, MergeTable(std::move(merges)), fallback_, first_inner);
  }

  /// 0 for the pieces of the highest score, equal for equal ones.
  [[nodiscard]] std::vector<std::int32_t> ranks_by_score() const {
    std::vector<std::int32_t> order(model_.pieces.size()), ranks(model_.pieces.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::int32_t>(k);
    std::sort(order.begin(), order.end(), [this](auto a, auto b) { return piece(a).score > piece(b).score; });
    std::int32_t rank = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
      if (k > 0 && piece(order[k]).score != piece(order[k - 1]).score) ++rank;
      ranks[static_cast<std::size_t>(order[k])] = rank;
    }
    return ranks;
  }

  SentencePieceModel model_;
  SentencePieceNormalizer normalizer_;
  PieceIds ids_;
  CharacterFallback fallback_;
  Unigram<float> unigram_;  // one of the two
  CharacterBpe bpe_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
