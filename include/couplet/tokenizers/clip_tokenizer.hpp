#pragma once
/// CLIP's tokenizer in its two dialects, which share byte pair encoding (bpe.hpp) and the row: start + ids + end, of
/// which a text that is too long keeps its first ids and the end.
///   Hugging Face (CLIPTokenizer of transformers 5, tokenizers 0.23): the texts of added tokens (start, end, ...) are
///   cut out of the raw text; every other part gets NFC, white space, lower case and is cut into words (clip_text.hpp).
///   Padded with the end token (or what the files say). OpenAI and open_clip (SimpleTokenizer): the whole text is
///   repaired, cleaned and cut into words (open_clip_text.hpp); words that are a special text become start and end.
///   Padded with 0.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/bpe.hpp"
#include "couplet/tokenizers/clip_text.hpp"
#include "couplet/tokenizers/context_length.hpp"
#include "couplet/tokenizers/open_clip_text.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// open_clip and openai differ in the texts that stand for start and end: <start_of_text> and <end_of_text>, or
/// <|startoftext|> and <|endoftext|>.
enum class ClipDialect { hugging_face, open_clip, openai };

/// The special tokens by text, and the length of a padded row.
struct ClipTokenizerOptions {
  std::string start = "<|startoftext|>";
  std::string end = "<|endoftext|>";
  std::string pad = "<|endoftext|>";
  std::int64_t context_length = 77;
  std::vector<AddedToken> added_tokens = {};  // more tokens to cut out of texts; start, end and pad always are
};

/// An immutable value; copies share the vocabulary.
class ClipTokenizer {
 public:
  /// `source` is the file to name when a special token is not in the vocabulary or start and end are one token.
  explicit ClipTokenizer(std::shared_ptr<const ByteLevelBpe> bpe, const ClipTokenizerOptions& options = {},
                         const std::string& source = "")
      : bpe_(std::move(bpe)),
        start_(special("start", options.start, source)),
        end_(special("end", options.end, source)),
        pad_(special("pad", options.pad, source)),
        context_length_(checked_context_length(options.context_length)) {
    if (start_ == end_)
      throw file_error(source, "the start and the end token are the same, id " + std::to_string(end_));
    auto tokens = options.added_tokens;
    for (const std::int64_t id : {start_, end_, pad_}) {
      const auto same = [id](const AddedToken& token) { return token.id == id; };
      if (std::none_of(tokens.begin(), tokens.end(), same)) tokens.push_back({.content = bpe_->token(id), .id = id});
    }
    added_tokens_ = std::make_shared<const AddedTokens>(std::move(tokens), normalize_clip_text);
  }

  /// start + tokens + end, at most max_length (>= 2) ids: the first max_length - 1 and the end. True if it cut some
  /// off. Any bytes are accepted; what is not UTF-8 reads as U+FFFD.
  bool encode(std::string_view text, std::size_t max_length, std::vector<std::int64_t>& ids) const {
    const std::size_t room = checked_room(max_length) - 1;  // before the end token
    ids.assign(1, start_);
    if (dialect_ == ClipDialect::hugging_face) {
      append_hugging_face(decode_utf8(text), room, ids);
    } else {
      append_open_clip(decode_utf8(text), room, ids);
    }
    const bool truncated = ids.size() > room;
    if (truncated) ids.resize(room);
    ids.push_back(end_);
    return truncated;
  }

  /// The text of ids, without start, end and padding; words are separated by one space.
  [[nodiscard]] std::string decode(std::span<const std::int64_t> ids) const {
    while (!ids.empty() && ids.back() == pad_) ids = ids.first(ids.size() - 1);
    std::string text;
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= vocab_size()) {
        fail("tokenizer.decode",
             "expected ids in [0, " + std::to_string(vocab_size()) + "), found " + std::to_string(id));
      }
      if (id != start_ && id != end_) append_token_text(bpe_->token(id), text);
    }
    while (text.ends_with(' ')) text.pop_back();
    return text;
  }

  [[nodiscard]] ClipTokenizer with_context_length(std::int64_t length) const {
    ClipTokenizer copy = *this;
    copy.context_length_ = checked_context_length(length);
    return copy;
  }

  /// The same vocabulary with the rules of another dialect, which pads as that does: with the end token or with id 0.
  [[nodiscard]] ClipTokenizer with_dialect(ClipDialect dialect, OpenClipClean clean = OpenClipClean::lower) const {
    ClipTokenizer copy = *this;
    copy.dialect_ = dialect;
    copy.clean_ = clean;
    if (dialect != dialect_) copy.pad_ = dialect == ClipDialect::hugging_face ? end_ : 0;
    return copy;
  }

  /// Such as: CLIP byte-level BPE, Hugging Face dialect (NFC, lower case); 49408 tokens, context length 77, padded with
  /// 49407
  [[nodiscard]] std::string describe() const {
    return "CLIP byte-level BPE, " + dialect_name() + "; " + std::to_string(vocab_size()) + " tokens, context length " +
           std::to_string(context_length_) + ", padded with " + std::to_string(pad_) + " \"" +
           printable(bpe_->token(pad_)) + "\"";
  }

  [[nodiscard]] std::int64_t context_length() const { return context_length_; }
  [[nodiscard]] std::int64_t vocab_size() const { return bpe_->size(); }
  [[nodiscard]] std::int64_t bos_token_id() const { return start_; }
  [[nodiscard]] std::int64_t eos_token_id() const { return end_; }
  [[nodiscard]] std::int64_t pad_token_id() const { return pad_; }
  [[nodiscard]] ClipDialect dialect() const { return dialect_; }
  [[nodiscard]] const ByteLevelBpe& bpe() const { return *bpe_; }
  /// All tokens that are cut out of texts; start, end and pad are among them.
  [[nodiscard]] const std::vector<AddedToken>& added_tokens() const { return added_tokens_->tokens(); }

 private:
  [[nodiscard]] std::int64_t special(const std::string& role, const std::string& text,
                                     const std::string& source) const {
    if (bpe_ == nullptr) fail("ClipTokenizer", "expected a vocabulary, found a null pointer");
    const std::int64_t id = bpe_->find(text);
    if (id < 0) throw file_error(source, "the " + role + " token \"" + printable(text) + "\" is not in the vocabulary");
    return id;
  }

  /// Appends the ids of words until there are more than `room`.
  [[nodiscard]] auto word_encoder(std::size_t room, std::vector<std::int64_t>& ids) const {
    return
        [this, room, &ids, scratch = ByteLevelBpe::Scratch(), bytes = std::string()](std::u32string_view word) mutable {
          bytes.clear();
          for (const char32_t c : word) append_utf8(c, bytes);
          bpe_->encode_word(bytes, scratch, ids);
          return ids.size() <= room;
        };
  }

  void append_hugging_face(std::u32string_view text, std::size_t room, std::vector<std::int64_t>& ids) const {
    auto word = word_encoder(room, ids);
    added_tokens_->cut(text, normalize_clip_text, [&](std::u32string_view part, std::int64_t id) {
      if (id >= 0) ids.push_back(id);
      if (id < 0) for_each_clip_word(part, word);
      return ids.size() <= room;
    });
  }

  void append_open_clip(std::u32string_view text, std::size_t room, std::vector<std::int64_t>& ids) const {
    const bool openai = dialect_ == ClipDialect::openai;
    const std::u32string_view start = openai ? U"<|startoftext|>" : U"<start_of_text>";
    const std::u32string_view end = openai ? U"<|endoftext|>" : U"<end_of_text>";
    auto encode_word = word_encoder(room, ids);
    for_each_open_clip_word(clean_open_clip_text(text, clean_), start, end, [&](std::u32string_view word) {
      if (word != start && word != end) return encode_word(word);
      ids.push_back(word == start ? start_ : end_);
      return ids.size() <= room;
    });
  }

  [[nodiscard]] std::string dialect_name() const {
    if (dialect_ == ClipDialect::hugging_face) return "Hugging Face dialect (NFC, lower case)";
    const std::string name = dialect_ == ClipDialect::openai ? "OpenAI dialect" : "open_clip dialect";
    return name + " (repaired as ftfy does but for mojibake, HTML, " + tokenizers::describe(clean_) + ")";
  }

  /// Bytes for the characters of the byte alphabet, other characters as they are, a space for "</w>".
  static void append_token_text(std::string_view token, std::string& text) {
    const bool word_end = token.size() > end_of_word.size() && token.ends_with(end_of_word);
    if (word_end) token.remove_suffix(end_of_word.size());
    const auto& alphabet = byte_characters();
    for (const char32_t c : decode_utf8(token)) {
      const auto* byte = std::find(alphabet.begin(), alphabet.end(), c);
      if (byte == alphabet.end()) append_utf8(c, text);
      if (byte != alphabet.end()) text += static_cast<char>(static_cast<unsigned char>(byte - alphabet.begin()));
    }
    if (word_end) text += ' ';
  }

  std::shared_ptr<const ByteLevelBpe> bpe_;
  std::shared_ptr<const AddedTokens> added_tokens_;
  std::int64_t start_, end_, pad_;
  std::int64_t context_length_;
  ClipDialect dialect_ = ClipDialect::hugging_face;
  OpenClipClean clean_ = OpenClipClean::lower;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
