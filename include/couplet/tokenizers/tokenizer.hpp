#pragma once
/// The one face of all tokenizers: text in, rows of ids out, with the length, padding and case of the model they belong
/// to.
///
///   const auto tokenizer = Tokenizer::load("model");
///   const TokenBatch batch = tokenizer(captions);        // ids: (B, context_length), padded
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/clip_tokenizer.hpp"
#include "couplet/tokenizers/clip_tokenizer_files.hpp"
#include "couplet/tokenizers/sentencepiece_files.hpp"
#include "couplet/tokenizers/sentencepiece_tokenizer.hpp"
#include "couplet/tokenizers/tokenizer_config.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// B texts as rows of equal length.
struct TokenBatch {
  std::vector<std::int64_t> ids = {};      // (B, context_length) row-major, padded on the right
  std::vector<std::int64_t> lengths = {};  // (B): ids before the padding, start and end included
  std::int64_t context_length = 0;
  std::int64_t truncated = 0;  // how many texts were too long

  /// Ids of text b, padding included.
  [[nodiscard]] std::span<const std::int64_t> row(std::size_t b) const {
    const auto length = static_cast<std::size_t>(context_length);
    return std::span(ids).subspan(b * length, length);
  }
};

/// An immutable value, cheap to copy; all members may be called from several threads at a time.
class Tokenizer {
 public:
  Tokenizer(ClipTokenizer rules) : rules_(std::move(rules)) {}
  Tokenizer(SentencePieceTokenizer rules) : rules_(std::move(rules)) {}

  /// Ids with start and end, without padding, cut at context_length.
  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view text) const {
    std::vector<std::int64_t> ids;
    std::visit(
        [&](const auto& rules) { return rules.encode(text, static_cast<std::size_t>(rules.context_length()), ids); },
        rules_);
    return ids;
  }

  [[nodiscard]] TokenBatch operator()(std::span<const std::string> texts) const {
    return std::visit(
        [texts](const auto& rules) {
          TokenBatch batch{.context_length = rules.context_length()};
          const auto length = static_cast<std::size_t>(batch.context_length);
          batch.ids.assign(texts.size() * length, rules.pad_token_id());
          batch.lengths.reserve(texts.size());
          std::vector<std::int64_t> ids;
          for (std::size_t b = 0; b < texts.size(); ++b) {
            if (rules.encode(texts[b], length, ids)) ++batch.truncated;
            std::copy(ids.begin(), ids.end(), batch.ids.begin() + static_cast<std::ptrdiff_t>(b * length));
            batch.lengths.push_back(static_cast<std::int64_t>(ids.size()));
          }
          return batch;
        },
        rules_);
  }

  /// Length of a padded row.
  [[nodiscard]] std::int64_t context_length() const {
    return std::visit([](const auto& rules) { return rules.context_length(); }, rules_);
  }
  /// All ids are below it: rows of the token embedding.
  [[nodiscard]] std::int64_t vocab_size() const {
    return std::visit([](const auto& rules) { return rules.vocab_size(); }, rules_);
  }
  [[nodiscard]] std::int64_t pad_token_id() const {
    return std::visit([](const auto& rules) { return rules.pad_token_id(); }, rules_);
  }
  /// -1: texts have no start token.
  [[nodiscard]] std::int64_t bos_token_id() const {
    return std::visit([](const auto& rules) { return rules.bos_token_id(); }, rules_);
  }
  [[nodiscard]] std::int64_t eos_token_id() const {
    return std::visit([](const auto& rules) { return rules.eos_token_id(); }, rules_);
  }
  /// The same tokenizer with rows of another length (>= 2).
  [[nodiscard]] Tokenizer with_context_length(std::int64_t length) const {
    return std::visit([length](const auto& rules) { return Tokenizer(rules.with_context_length(length)); }, rules_);
  }
  /// The same vocabulary as another library uses it. open_clip cleans the text (`clean`) and then does as CLIP's
  /// SimpleTokenizer, or as Hugging Face's tokenizer where the pieces are SentencePiece's; OpenAI has the former alone.
  [[nodiscard]] Tokenizer with_dialect(ClipDialect dialect, OpenClipClean clean = OpenClipClean::lower) const {
    if (const auto* clip = as_clip()) return clip->with_dialect(dialect, clean);
    if (dialect == ClipDialect::openai) fail("tokenizer", "OpenAI's dialect is one of CLIP's byte-level BPE alone");
    const auto& rules = std::get<SentencePieceTokenizer>(rules_);
    return rules.with_clean(dialect == ClipDialect::open_clip ? std::optional(clean) : std::nullopt);
  }
  /// The text of ids, without start, end and padding; what encoding changed (case, spaces) stays changed.
  [[nodiscard]] std::string decode(std::span<const std::int64_t> ids) const {
    return std::visit([ids](const auto& rules) { return rules.decode(ids); }, rules_);
  }
  /// One line for people: rules, number of tokens, length, padding.
  [[nodiscard]] std::string describe() const {
    return std::visit([](const auto& rules) { return rules.describe(); }, rules_);
  }

  /// Reads the tokenizer of a model directory, by the class that tokenizer_config.json names and by what the files
  /// hold. file_error: none there, damaged, of an unsupported kind.
  [[nodiscard]] static Tokenizer load(const std::string& directory) {
    const auto there = [&directory](const char* name) { return detail::file_exists(directory + "/" + name); };
    const auto config = detail::read_tokenizer_config(directory, SpacesMatter::no);
    const bool siglip = config.tokenizer_class == "SiglipTokenizer";
    if (there("spiece.model") && (siglip || !config.tokenizer_class)) return load_siglip_tokenizer(directory);
    if (siglip) throw file_error(config.path, "tokenizer_class: SiglipTokenizer needs a spiece.model beside it");
    if (there("vocab.json") && there("merges.txt")) return load_clip_tokenizer(directory);
    if (there("tokenizer.json")) return load_tokenizer_json(directory);
    if (there("tokenizer.model")) return load_gemma_model(directory);
    if (there("spiece.model")) return load_siglip_tokenizer(directory);  // refuses the class by name
    throw file_error(directory,
                     "no tokenizer here: expected vocab.json and merges.txt, tokenizer.json, spiece.model or "
                     "tokenizer.model");
  }
  /// Whether a directory holds tokenizer files.
  [[nodiscard]] static bool exists(const std::string& directory) {
    const auto there = [&directory](const char* name) { return detail::file_exists(directory + "/" + name); };
    return has_clip_tokenizer(directory) || there("spiece.model") || there("tokenizer.model");
  }
  /// Reads a vocabulary of its own, for a model that came without one, from one of its files (with those beside it):
  /// tokenizer.json, spiece.model, tokenizer.model, or CLIP's (see load_clip_vocabulary).
  [[nodiscard]] static Tokenizer load_vocabulary(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string();
    const std::string directory = detail::directory_of(path);
    if (name == "tokenizer.json") return load_tokenizer_json(directory);
    if (name == "spiece.model") return load_siglip_tokenizer(directory);
    if (name == "tokenizer.model") return load_gemma_model(directory);
    return load_clip_vocabulary(path);
  }
  /// Writes the files that load() and transformers read into an existing directory.
  void save(const std::string& directory) const {
    if (const auto* clip = as_clip()) return save_clip_tokenizer(*clip, directory);
    save_sentencepiece_tokenizer(std::get<SentencePieceTokenizer>(rules_), directory);
  }

  /// The rules behind the face.
  [[nodiscard]] const ClipTokenizer* as_clip() const { return std::get_if<ClipTokenizer>(&rules_); }
  [[nodiscard]] const SentencePieceTokenizer* as_sentencepiece() const {
    return std::get_if<SentencePieceTokenizer>(&rules_);
  }

 private:
  static Tokenizer load_tokenizer_json(const std::string& directory) {
    const std::string path = directory + "/tokenizer.json";
    std::string bytes = io::read_file(path, max_vocabulary_bytes);
    const io::JsonField file(io::Json::parse(bytes, path), path);
    if (is_piece_pipeline(file)) return load_piece_tokenizer(file, std::move(bytes), directory);
    return read_clip_tokenizer_json(file, directory);
  }

  std::variant<ClipTokenizer, SentencePieceTokenizer> rules_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
