#pragma once
/// SentencePiece models made on the spot: the protobuf wire format and the character map's trie, written.
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/tokenizers/sentencepiece_model.hpp"

namespace couplet::test {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes += static_cast<char>(static_cast<unsigned char>(value & 127U) | 128U);
  return bytes + static_cast<char>(value);
}
inline std::string number_field(std::uint64_t field, std::uint64_t value) { return varint(field << 3) + varint(value); }
inline std::string bytes_field(std::uint64_t field, std::string_view bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}
template <class T>
std::string fixed_bytes(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::string float_field(std::uint64_t field, float value) { return varint(field << 3 | 5) + fixed_bytes(value); }

inline std::string piece_field(std::string_view text, float score, std::uint64_t type) {
  return bytes_field(1, bytes_field(1, text) + float_field(2, score) + number_field(3, type));
}

/// The bytes of a .model file.
inline std::string write_model(const tokenizers::SentencePieceModel& model) {
  std::string bytes;
  for (const auto& piece : model.pieces) {
    bytes += piece_field(piece.text, piece.score, static_cast<std::uint64_t>(piece.type));
  }
  bytes += bytes_field(
      2, number_field(3, static_cast<std::uint64_t>(model.algorithm)) + number_field(35, model.byte_fallback ? 1 : 0));
  return bytes + bytes_field(3, bytes_field(2, model.character_map) + number_field(3, model.add_dummy_prefix ? 1 : 0) +
                                    number_field(4, model.remove_extra_whitespaces ? 1 : 0) +
                                    number_field(5, model.escape_whitespaces ? 1 : 0));
}

/// Units of the double array: one block of 256 per node, so that child c of the node at block b is unit 256 b + c.
inline std::vector<std::uint32_t> write_trie(const std::vector<std::pair<std::string, std::uint32_t>>& values) {
  std::vector<std::uint32_t> units(512, 0);
  const auto link = [&units](std::size_t unit, std::size_t block) {
    units[unit] = (units[unit] & 0x3ffU) | static_cast<std::uint32_t>(unit ^ (block * 256)) << 10;
  };
  link(0, 1);
  std::map<std::string, std::size_t> blocks{{"", 1}};
  for (const auto& [key, value] : values) {
    std::size_t unit = 0, block = 1;
    for (std::size_t k = 0; k < key.size(); ++k) {
      const auto byte = static_cast<unsigned char>(key[k]);
      unit = block * 256 + byte;
      const auto [at, is_new] = blocks.try_emplace(key.substr(0, k + 1), blocks.size() + 1);
      block = at->second;
      if (!is_new) continue;
      units.resize((block + 1) * 256, 0);
      units[unit] = byte;
      link(unit, block);
    }
    units[unit] |= 0x100U;
    units[block * 256] = 0x80000000U | value;
  }
  return units;
}

/// Size, trie, replacements.
inline std::string write_character_map(const std::vector<std::uint32_t>& units, std::string_view replacements) {
  std::string bytes = fixed_bytes(static_cast<std::uint32_t>(units.size() * 4));
  for (const std::uint32_t unit : units) bytes += fixed_bytes(unit);
  return bytes + std::string(replacements);
}
inline std::string write_character_map(const std::vector<std::pair<std::string, std::string>>& map) {
  std::vector<std::pair<std::string, std::uint32_t>> values;
  std::string replacements;
  for (const auto& [from, to] : map) {
    values.emplace_back(from, static_cast<std::uint32_t>(replacements.size()));
    replacements += to + '\0';
  }
  return write_character_map(write_trie(values), replacements);
}

using PieceType = tokenizers::SentencePieceModel::PieceType;

/// <pad>, </s>, <unk>, then normal pieces with these scores.
inline tokenizers::SentencePieceModel small_model(const std::vector<std::pair<std::string, float>>& pieces) {
  tokenizers::SentencePieceModel model;
  model.pieces = {{"<pad>", 0, PieceType::control}, {"</s>", 0, PieceType::control}, {"<unk>", 0, PieceType::unknown}};
  for (const auto& [text, score] : pieces) model.pieces.push_back({text, score, PieceType::normal});
  return model;
}

/// Adds "<0x00>" ... "<0xFF>" and turns byte fallback on.
inline void add_byte_pieces(tokenizers::SentencePieceModel& model) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    model.pieces.push_back({tokenizers::byte_piece(byte), 0, PieceType::byte});
  }
  model.byte_fallback = true;
}

}  // namespace couplet::test
