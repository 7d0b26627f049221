#pragma once
/// tokenizer.json, the one-file form of a tokenizer, as far as it describes CLIP's: read with a named error for every
/// part that would make other ids, and written as transformers 5 writes it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/bpe_files.hpp"
#include "couplet/tokenizers/clip_text.hpp"
#include "couplet/tokenizers/clip_tokenizer.hpp"
#include "couplet/tokenizers/tokenizer_json.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// What a tokenizer.json says.
struct ClipTokenizerJson {
  std::vector<std::string> tokens;  // by id, added ones included
  std::vector<ByteLevelBpe::Merge> merges;
  std::vector<AddedToken> added_tokens;
  std::optional<std::string> start, end;  // from the post-processor
  std::optional<std::string> unknown;     // of byte symbols that the vocabulary lacks
};

namespace detail {

inline std::string regex_of(const io::JsonField& field) { return field.at("pattern").at("Regex").string(); }

/// Sequence of NFC, Replace \s+ by a space, Lowercase.
inline void check_normalizer(const io::JsonField& field) {
  const std::string expected = R"(CLIP's normalizer (a Sequence of NFC, Replace "\s+" by " ", Lowercase))";
  if (!field.value().is_object() || !has_type(field, "Sequence")) unsupported(field, expected);
  const auto steps = field.at("normalizers").items();
  if (steps.size() != 3) unsupported(field, expected);
  for (std::size_t k = 0; k < 3; ++k) {
    static constexpr std::string_view types[] = {"NFC", "Replace", "Lowercase"};
    if (!has_type(steps[k], types[k])) unsupported(steps[k], expected);
  }
  if (regex_of(steps[1]) != "\\s+" || steps[1].at("content").string() != " ") unsupported(steps[1], expected);
}

/// Sequence of Split by CLIP's pattern, ByteLevel.
inline void check_pre_tokenizer(const io::JsonField& field) {
  const std::string expected = "CLIP's pre-tokenizer (a Sequence of Split by its pattern, ByteLevel)";
  if (!field.value().is_object() || !has_type(field, "Sequence")) unsupported(field, expected);
  const auto steps = field.at("pretokenizers").items();
  if (steps.size() != 2) unsupported(field, expected);
  if (!has_type(steps[0], "Split")) unsupported(steps[0], expected);
  if (!has_type(steps[1], "ByteLevel")) unsupported(steps[1], expected);
  const std::string pattern = regex_of(steps[0]);
  if (pattern != clip_pattern && pattern != clip_pattern_without_specials) {
    steps[0].at("pattern").fail("expected CLIP's pattern, found \"" + printable(pattern) + "\"");
  }
  if (steps[0].at("behavior").string() != "Removed" || !steps[0].at("invert").boolean())
    unsupported(steps[0], expected);
  const auto use_regex = steps[1].find("use_regex");
  if (steps[1].at("add_prefix_space").boolean() || (use_regex && !use_regex->boolean()))
    unsupported(steps[1], expected);
}

/// RobertaProcessing {"cls": [start, id], "sep": [end, id]} or TemplateProcessing of start, text, end.
inline void read_post_processor(const io::JsonField& field, ClipTokenizerJson& out) {
  const std::string expected = "a post-processor that puts one token before the text and one after it";
  if (field.value().is_object() && has_type(field, "RobertaProcessing")) {
    const auto cls = field.at("cls").items(), sep = field.at("sep").items();
    if (cls.size() != 2 || sep.size() != 2) unsupported(field, expected);
    out.start = stated_token(cls[0], cls[1], out.tokens);
    out.end = stated_token(sep[0], sep[1], out.tokens);
    return;
  }
  const auto row = read_template(field, out.tokens);
  if (!row.start || !row.end) unsupported(field, expected);
  out.start = out.tokens[static_cast<std::size_t>(*row.start)];
  out.end = out.tokens[static_cast<std::size_t>(*row.end)];
}

/// The BPE model: vocabulary, merges, unknown token; refuses options that CLIP's does not have.
inline void read_model(const io::JsonField& model, ClipTokenizerJson& out) {
  if (const auto type = model.find("type"); type && type->string() != "BPE") {
    type->fail("expected a model of type BPE, found \"" + printable(type->string()) + "\"");
  }
  check_bpe_options(model, {"fuse_unk", "byte_fallback", "ignore_merges"});
  if (const auto prefix = model.find("continuing_subword_prefix"); prefix && !prefix->string().empty()) {
    prefix->fail("expected none, found " + prefix->value().describe());
  }
  if (const io::JsonField suffix = model.at("end_of_word_suffix");
      !suffix.value().is_string() || suffix.string() != end_of_word) {
    suffix.fail("expected \"</w>\", found " + suffix.value().describe());
  }
  out.tokens = tokens_by_id(model.at("vocab"));
  out.merges = read_merges(model.at("merges"));
  if (const auto unknown = model.find("unk_token")) out.unknown = unknown->string();
}

}  // namespace detail

/// Reads a parsed tokenizer.json. Padding and truncation stored in it are left aside: a Tokenizer has its own length.
inline ClipTokenizerJson read_clip_tokenizer_json(const io::JsonField& file) {
  ClipTokenizerJson out;
  detail::read_model(file.at("model"), out);
  if (const auto added = file.find("added_tokens")) out.added_tokens = detail::read_added_tokens(*added, out.tokens);
  if (const auto normalizer = file.find("normalizer")) detail::check_normalizer(*normalizer);
  if (const auto pre_tokenizer = file.find("pre_tokenizer")) detail::check_pre_tokenizer(*pre_tokenizer);
  if (const auto post_processor = file.find("post_processor")) detail::read_post_processor(*post_processor, out);
  if (out.unknown && std::find(out.tokens.begin(), out.tokens.end(), *out.unknown) == out.tokens.end()) {
    throw file_error(file.file(), "model.unk_token: \"" + printable(*out.unknown) + "\" is not in the vocabulary");
  }
  return out;
}

namespace detail {

inline void write_pipeline(const ClipTokenizer& tokenizer, io::JsonWriter& json) {
  json.key("normalizer").begin_object().key("type").value("Sequence").key("normalizers").begin_array();
  json.begin_object().key("type").value("NFC").end_object();
  json.begin_object()
      .key("type")
      .value("Replace")
      .key("pattern")
      .begin_object()
      .key("Regex")
      .value("\\s+")
      .end_object();
  json.key("content").value(" ").end_object();
  json.begin_object().key("type").value("Lowercase").end_object().end_array().end_object();

  const auto byte_level = [&json](bool prefix_space) {
    json.begin_object().key("type").value("ByteLevel").key("add_prefix_space").value(prefix_space);
    json.key("trim_offsets").value(true).key("use_regex").value(true).end_object();
  };
  json.key("pre_tokenizer").begin_object().key("type").value("Sequence").key("pretokenizers").begin_array();
  json.begin_object()
      .key("type")
      .value("Split")
      .key("pattern")
      .begin_object()
      .key("Regex")
      .value(clip_pattern)
      .end_object();
  json.key("behavior").value("Removed").key("invert").value(true).end_object();
  byte_level(false);
  json.end_array().end_object();

  const auto special = [&](const char* role, std::int64_t id) {
    json.key(role).begin_array().value(tokenizer.bpe().token(id)).value(id).end_array();
  };
  json.key("post_processor").begin_object().key("type").value("RobertaProcessing");
  special("sep", tokenizer.eos_token_id());
  special("cls", tokenizer.bos_token_id());
  json.key("trim_offsets").value(false).key("add_prefix_space").value(false).end_object();
  json.key("decoder");
  byte_level(true);
}

inline void write_model(const ByteLevelBpe& bpe, io::JsonWriter& json) {
  json.key("model").begin_object().key("type").value("BPE").key("dropout").value(nullptr).key("unk_token");
  if (bpe.unknown() < 0) json.value(nullptr);
  if (bpe.unknown() >= 0) json.value(bpe.token(bpe.unknown()));
  json.key("continuing_subword_prefix").value("").key("end_of_word_suffix").value(end_of_word);
  for (const char* key : {"fuse_unk", "byte_fallback", "ignore_merges"}) json.key(key).value(false);
  json.key("vocab").begin_object();
  for (std::int64_t id = 0; id < bpe.size(); ++id) json.key(bpe.token(id)).value(id);
  json.end_object().key("merges").begin_array();
  for (std::size_t rank = 0; rank < bpe.merge_count(); ++rank) {
    const auto [left, right] = bpe.merge(rank);
    json.begin_array().value(left).value(right).end_array();
  }
  json.end_array().end_object();
}

}  // namespace detail

inline void write_clip_tokenizer_json(const ClipTokenizer& tokenizer, const std::string& path) {
  io::JsonWriter json(0);
  json.begin_object().key("version").value("1.0").key("truncation").value(nullptr).key("padding").value(nullptr);
  json.key("added_tokens").begin_array();
  for (const AddedToken& token : tokenizer.added_tokens()) {
    json.begin_object().key("id").value(token.id).key("content").value(token.content);
    for (const char* key : {"single_word", "lstrip", "rstrip"}) json.key(key).value(false);
    json.key("normalized").value(token.normalized).key("special").value(token.special).end_object();
  }
  json.end_array();
  detail::write_pipeline(tokenizer, json);
  detail::write_model(tokenizer.bpe(), json);
  io::write_file(path, json.end_object().str() + "\n");
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
