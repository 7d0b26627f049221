#pragma once
/// SentencePiece's model file (spiece.model, tokenizer.model): pieces with scores, the algorithm, and how a text is
/// normalised. T. Kudo and J. Richardson, "SentencePiece" (EMNLP 2018); the fields are those of its
/// sentencepiece_model.proto.
///
/// What is not here does not change ids: training settings, self tests, the way back from ids to text.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/protobuf.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

struct SentencePieceModel {
  enum class Algorithm { unigram = 1, bpe = 2 };
  enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::normal;
  };
  static constexpr std::size_t max_pieces = std::size_t{1} << 20;
  static constexpr std::size_t max_piece_bytes = 4096;

  std::vector<Piece> pieces;  // by id
  Algorithm algorithm = Algorithm::unigram;
  bool byte_fallback = false;  // unknown characters become one piece per byte
  // Normalisation; see sentencepiece_normalizer.hpp.
  std::string character_map;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

/// "<0x00>" ... "<0xFF>": the pieces of byte fallback.
[[nodiscard]] inline std::string byte_piece(unsigned byte) {
  constexpr char hex[] = "0123456789ABCDEF";
  return {'<', '0', 'x', hex[byte >> 4 & 15], hex[byte & 15], '>'};
}

/// The value of a byte's piece; -1 for any other text.
[[nodiscard]] inline int byte_of_piece(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const int high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

namespace detail {

/// By its bits: under -ffast-math std::isfinite is folded away.
inline bool is_finite(float value) { return (std::bit_cast<std::uint32_t>(value) >> 23 & 0xffU) != 0xffU; }

inline SentencePieceModel::Piece read_piece(ProtobufReader message) {
  SentencePieceModel::Piece piece;
  while (message.next()) {
    if (message.field() == 1) piece.text = message.bytes();
    if (message.field() == 2) piece.score = message.real();
    if (message.field() == 3) {
      const std::uint64_t type = message.number();
      if (type < 1 || type > 6) message.refuse("a piece of the unknown type " + std::to_string(type));
      piece.type = static_cast<SentencePieceModel::PieceType>(type);
    }
  }
  return piece;
}

inline void read_trainer(ProtobufReader message, SentencePieceModel& model) {
  while (message.next()) {
    if (message.field() == 3) {
      const std::uint64_t type = message.number();
      if (type != 1 && type != 2) {
        const std::string name = type == 3 ? "words" : type == 4 ? "characters" : "type " + std::to_string(type);
        message.refuse("expected a model of unigrams or byte pair encoding, found one of " + name);
      }
      model.algorithm = static_cast<SentencePieceModel::Algorithm>(type);
    }
    if (message.field() == 24 && message.boolean()) message.refuse("white space as a suffix is not supported");
    if (message.field() == 35) model.byte_fallback = message.boolean();
  }
}

inline void read_normalizer(ProtobufReader message, SentencePieceModel& model) {
  while (message.next()) {
    if (message.field() == 2) model.character_map = message.bytes();
    if (message.field() == 3) model.add_dummy_prefix = message.boolean();
    if (message.field() == 4) model.remove_extra_whitespaces = message.boolean();
    if (message.field() == 5) model.escape_whitespaces = message.boolean();
  }
}

/// Texts that are UTF-8, not empty and all different; finite scores; one unknown piece; no or all pieces of bytes.
inline void check_pieces(const SentencePieceModel& model, const std::string& file) {
  using Type = SentencePieceModel::PieceType;
  std::unordered_set<std::string_view> texts;
  std::size_t unknown = 0, byte_count = 0;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    const auto refuse = [&](const std::string& why) {
      throw file_error(file, "piece " + std::to_string(id) + " \"" + printable(piece.text) + "\": " + why);
    };
    if (piece.text.empty()) refuse("expected a text, found none");
    if (piece.text.size() > SentencePieceModel::max_piece_bytes) {
      refuse("longer than " + std::to_string(SentencePieceModel::max_piece_bytes) + " bytes");
    }
    if (piece.text.find('\0') != std::string::npos || !valid_utf8(piece.text)) refuse("not UTF-8, or a NUL byte");
    if (!is_finite(piece.score)) refuse("its score is not a finite number");
    if (!texts.insert(piece.text).second) refuse("the same text is in the list twice");
    if (piece.type == Type::unknown) ++unknown;
    if (piece.type == Type::byte) {
      const int byte = byte_of_piece(piece.text);
      if (byte < 0) refuse("expected the piece of a byte, such as <0x1F>");
      ++byte_count;
    }
  }
  if (unknown != 1) throw file_error(file, "expected one unknown piece, found " + std::to_string(unknown));
  if (model.byte_fallback && byte_count != 256) {
    throw file_error(file, "expected 256 pieces of bytes, found " + std::to_string(byte_count));
  }
}

}  // namespace detail

/// file_error: not a model, or one that would not mean the same here as in SentencePiece.
[[nodiscard]] inline SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& file) {
  SentencePieceModel model;
  ProtobufReader message(bytes, file);
  while (message.next()) {
    if (message.field() == 1) {
      if (model.pieces.size() == SentencePieceModel::max_pieces) {
        message.refuse("more than " + std::to_string(SentencePieceModel::max_pieces) + " pieces");
      }
      model.pieces.push_back(detail::read_piece(message.message()));
    }
    if (message.field() == 2) detail::read_trainer(message.message(), model);
    if (message.field() == 3) detail::read_normalizer(message.message(), model);
  }
  detail::check_pieces(model, file);
  return model;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
