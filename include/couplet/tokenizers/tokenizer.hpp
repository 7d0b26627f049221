#pragma once
/// The one face of all tokenizers: text in, rows of ids out, with the length, padding and case of the model they belong
/// to.
///
///   const auto tokenizer = Tokenizer::load("model");
///   const TokenBatch batch = tokenizer(captions);        // ids: (B, context_length), padded
#include <cstddef>
#include <cstdint>
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
  /// The same vocabulary in another dialect of CLIP's: what open_clip and OpenAI models want (see clip_tokenizer.hpp).
  [[nodiscard]] Tokenizer with_dialect(ClipDialect dialect, OpenClipClean clean = OpenClipClean::lower) const {
    return std::visit([&](const auto& rules) { return Tokenizer(rules.with_dialect(dialect, clean)); }, rules_);
  }
  /// The text of ids, without start, end and padding; what encoding changed (case, spaces) stays changed.
  [[nodiscard]] std::string decode(std::span<const std::int64_t> ids) const {
    return std::visit([ids](const auto& rules) { return rules.decode(ids); }, rules_);
  }
  /// One line for people: rules, number of tokens, length, padding.
  [[nodiscard]] std::string describe() const {
    return std::visit([](const auto& rules) { return rules.describe(); }, rules_);
  }

  /// Reads the tokenizer of a model directory. file_error: none there, damaged, of an unsupported kind.
  [[nodiscard]] static Tokenizer load(const std::string& directory) {
    if (!exists(directory)) {
      throw file_error(directory, "no tokenizer here: expected vocab.json and merges.txt, or tokenizer.json");
    }
    return load_clip_tokenizer(directory);
  }
  /// Whether a directory holds tokenizer files.
  [[nodiscard]] static bool exists(const std::string& directory) { return has_clip_tokenizer(directory); }
  /// Reads a vocabulary of its own, for a model that came without one: see load_clip_vocabulary.
  [[nodiscard]] static Tokenizer load_vocabulary(const std::string& path) { return load_clip_vocabulary(path); }
  /// Writes the files that load() and transformers read into an existing directory.
  void save(const std::string& directory) const {
    std::visit([&directory](const ClipTokenizer& rules) { save_clip_tokenizer(rules, directory); }, rules_);
  }

  /// The rules behind the face.
  [[nodiscard]] const ClipTokenizer* as_clip() const { return std::get_if<ClipTokenizer>(&rules_); }

 private:
  std::variant<ClipTokenizer> rules_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
