#pragma once
/// The files of a byte-level BPE vocabulary: vocab.json ({"token": id, ...}), merges.txt (two tokens per line, in order
/// of rank) and OpenAI's bpe_simple_vocab_16e6.txt (merges only; the ids follow from CLIP's layout).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"
#include "couplet/tokenizers/bpe.hpp"
#include "couplet/tokenizers/gzip.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

inline constexpr std::size_t max_vocabulary_bytes = std::size_t{64} << 20;  // the published files are below 5 MB
/// Of CLIP's published vocabulary: 512 byte symbols, 48,894 merges, start, end.
inline constexpr std::size_t clip_vocab_size = 49408;

/// Tokens by id. file_error: not an object of integers that are 0, 1, ..., n - 1 in any order.
inline std::vector<std::string> tokens_by_id(const io::JsonField& vocabulary) {
  if (!vocabulary.value().is_object())
    vocabulary.fail("expected an object of token: id, found " + vocabulary.value().describe());
  const auto& members = vocabulary.value().members();
  std::vector<std::string> tokens(members.size());
  for (const auto& [text, id] : members) {
    const bool in_range =
        id.is_integer() && id.as_integer() >= 0 && static_cast<std::size_t>(id.as_integer()) < tokens.size();
    if (text.empty()) vocabulary.fail("a token without text");
    if (!in_range) {
      vocabulary.fail("token \"" + printable(text) + "\": expected an id in [0, " + std::to_string(tokens.size()) +
                      ") (the ids of all tokens are 0, 1, ...), found " + id.describe());
    }
    std::string& place = tokens[static_cast<std::size_t>(id.as_integer())];
    if (!place.empty()) {
      vocabulary.fail("tokens \"" + printable(place) + "\" and \"" + printable(text) + "\" have the same id " +
                      id.describe());
    }
    place = text;
  }
  return tokens;
}

/// "left right" with one space. file_error naming the place: anything else.
inline ByteLevelBpe::Merge parse_merge(std::string_view line, const std::string& path, const std::string& place) {
  const std::size_t space = line.find(' ');
  const bool two = space != line.npos && space > 0 && space + 1 < line.size() && line.find(' ', space + 1) == line.npos;
  if (!two || line.find('\0') != line.npos || !valid_utf8(line)) {
    throw file_error(path, place + ": expected two tokens with one space between, found \"" + printable(line) + "\"");
  }
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

/// The lines of merges.txt, at most max_merges of them. A first line that holds "#version" is a header; line ends may
/// be CRLF; the last one may be missing.
inline std::vector<ByteLevelBpe::Merge> parse_merges(std::string_view text, const std::string& path,
                                                     std::size_t max_merges = ByteLevelBpe::max_tokens) {
  std::vector<ByteLevelBpe::Merge> merges;
  for (std::size_t number = 1; !text.empty() && merges.size() < max_merges; ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1 && line.find("#version") != line.npos) continue;
    merges.push_back(parse_merge(line, path, "line " + std::to_string(number)));
  }
  return merges;
}

/// The whole vocabulary in CLIP's layout: 256 byte symbols, 256 with "</w>", the results of the merges, start, end.
inline std::vector<std::string> clip_layout(const std::vector<ByteLevelBpe::Merge>& merges) {
  std::vector<std::string> tokens = byte_symbols();
  for (const auto& [left, right] : merges) tokens.push_back(left + right);
  tokens.emplace_back("<|startoftext|>");
  tokens.emplace_back("<|endoftext|>");
  return tokens;
}

/// A vocabulary from OpenAI's list of merges, packed or not: the first vocab_size - 514 merges of the file.
inline std::shared_ptr<const ByteLevelBpe> read_openai_merges(const std::string& path,
                                                              std::size_t vocab_size = clip_vocab_size) {
  if (vocab_size < 514)
    fail("read_openai_merges", "expected room for 514 tokens or more, found " + std::to_string(vocab_size));
  std::string text = io::read_file(path, max_vocabulary_bytes);
  if (is_gzip(text)) text = gunzip(text, max_vocabulary_bytes, path);
  const auto merges = parse_merges(text, path, vocab_size - 514);
  auto tokens = clip_layout(merges);
  const auto end = static_cast<std::int64_t>(tokens.size()) - 1;
  return std::make_shared<const ByteLevelBpe>(std::move(tokens), merges, end, path, path);
}

inline void write_vocab_json(const ByteLevelBpe& bpe, const std::string& path) {
  io::JsonWriter json(0);
  json.begin_object();
  for (std::int64_t id = 0; id < bpe.size(); ++id) json.key(bpe.token(id)).value(id);
  io::write_file(path, json.end_object().str() + "\n");
}

inline void write_merges(const ByteLevelBpe& bpe, const std::string& path) {
  std::string text = "#version: 0.2\n";
  for (std::size_t rank = 0; rank < bpe.merge_count(); ++rank) {
    const auto [left, right] = bpe.merge(rank);
    text.append(left).append(" ").append(right).append("\n");
  }
  io::write_file(path, text);
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
