#pragma once
/// The tokenizers of SigLIP (SiglipTokenizer, and open_clip's T5 tokenizer.json) and SigLIP 2 (Gemma's byte pair
/// encoding): pieces by one of the rules below, the end token, and a row that is padded on the right. No start token,
/// but for a Gemma that asks for it.
///
/// SigLIP reads the last position of a row, padding or not: rows must have full length (64) and the padding that the
/// model was trained with, </s> (id 1) or <pad> (id 0).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/context_length.hpp"
#include "couplet/tokenizers/open_clip_text.hpp"
#include "couplet/tokenizers/piece_pipeline.hpp"
#include "couplet/tokenizers/siglip_rules.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// The files that a tokenizer was read from: name and bytes.
using TokenizerFiles = std::vector<std::pair<std::string, std::string>>;

struct SentencePieceOptions {
  std::int64_t start = -1;  // id; -1: none
  std::int64_t end = 1;
  std::int64_t pad = 1;
  std::int64_t context_length = 64;
  std::string tokenizer_class = {};                  // in transformers
  std::shared_ptr<const TokenizerFiles> files = {};  // for saving
};

/// An immutable value; copies share the vocabulary.
class SentencePieceTokenizer {
 public:
  using Rules = std::variant<std::shared_ptr<const SiglipRules>, std::shared_ptr<const PiecePipeline>>;

  /// `source` is the file to name when a special token is no id of the vocabulary.
  SentencePieceTokenizer(Rules rules, SentencePieceOptions options, const std::string& source = "")
      : rules_(std::move(rules)), options_(std::move(options)) {
    static_cast<void>(checked_context_length(options_.context_length));
    const auto check = [&](const char* role, std::int64_t id) {
      if (id < 0 || id >= vocab_size()) throw file_error(source, std::string("no ") + role + " token");
    };
    check("end", options_.end);
    check("pad", options_.pad);
    if (options_.start != -1) check("start", options_.start);
  }

  /// Pieces + end, at most max_length (>= 2) ids: the first max_length - 1 and the end. True if it cut some off. Any
  /// bytes are accepted; what is not UTF-8 reads as U+FFFD.
  bool encode(std::string_view text, std::size_t max_length, std::vector<std::int64_t>& ids) const {
    const std::size_t room = checked_room(max_length) - 1;
    std::u32string characters = decode_utf8(text);
    if (clean_) characters = clean_open_clip_text(characters, *clean_);
    ids.clear();
    if (options_.start >= 0) ids.push_back(options_.start);
    std::visit([&](const auto& rules) { rules->append(characters, max_length, ids); }, rules_);
    end_row(ids);
    const bool truncated = ids.size() > max_length;
    if (truncated) ids.resize(room);
    if (truncated) end_row(ids);
    return truncated;
  }

  /// The text of ids, without start, end and padding.
  [[nodiscard]] std::string decode(std::span<const std::int64_t> ids) const {
    std::string text;
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= vocab_size()) {
        fail("tokenizer.decode",
             "expected ids in [0, " + std::to_string(vocab_size()) + "), found " + std::to_string(id));
      }
      if (id == options_.start || id == options_.end || id == options_.pad) continue;
      const std::string_view piece = token(id);
      if (const int byte = byte_of_piece(piece); byte >= 0) {
        text += static_cast<char>(static_cast<unsigned char>(byte));
      } else {
        text += piece;
      }
    }
    text = TextNormalizer({TextNormalizer::replace(std::string(space_mark), " ")})(std::move(text));
    if (text.starts_with(' ')) text.erase(0, 1);
    return text;
  }

  [[nodiscard]] SentencePieceTokenizer with_context_length(std::int64_t length) const {
    SentencePieceTokenizer copy = *this;
    copy.options_.context_length = checked_context_length(length);
    return copy;
  }

  /// The same rules behind a text that open_clip has cleaned; none: the text as it is.
  [[nodiscard]] SentencePieceTokenizer with_clean(std::optional<OpenClipClean> clean) const {
    SentencePieceTokenizer copy = *this;
    copy.clean_ = clean;
    return copy;
  }

  /// Such as: SentencePiece unigrams as SiglipTokenizer (lower case, no punctuation); 32000 tokens, context length 64,
  /// padded with 1 "</s>"
  [[nodiscard]] std::string describe() const {
    std::string text = std::visit([](const auto& rules) { return rules->describe(); }, rules_);
    if (clean_) text += " of text cleaned by open_clip (" + tokenizers::describe(*clean_) + ")";
    return text + "; " + std::to_string(vocab_size()) + " tokens, context length " + std::to_string(context_length()) +
           ", padded with " + std::to_string(options_.pad) + " \"" + printable(token(options_.pad)) + "\"";
  }

  [[nodiscard]] std::int64_t context_length() const { return options_.context_length; }
  [[nodiscard]] std::int64_t vocab_size() const {
    return std::visit([](const auto& rules) { return rules->size(); }, rules_);
  }
  [[nodiscard]] std::string_view token(std::int64_t id) const {
    return std::visit([id](const auto& rules) { return rules->token(id); }, rules_);
  }
  /// -1: none.
  [[nodiscard]] std::int64_t bos_token_id() const { return options_.start; }
  [[nodiscard]] std::int64_t eos_token_id() const { return options_.end; }
  [[nodiscard]] std::int64_t pad_token_id() const { return options_.pad; }
  [[nodiscard]] const Rules& rules() const { return rules_; }
  [[nodiscard]] const SentencePieceOptions& options() const { return options_; }

 private:
  /// The end token; SiglipTokenizer leaves it out where the text ends with its own.
  void end_row(std::vector<std::int64_t>& ids) const {
    const bool sticky = std::holds_alternative<std::shared_ptr<const SiglipRules>>(rules_);
    if (!sticky || ids.empty() || ids.back() != options_.end) ids.push_back(options_.end);
  }

  Rules rules_;
  SentencePieceOptions options_;
  std::optional<OpenClipClean> clean_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
