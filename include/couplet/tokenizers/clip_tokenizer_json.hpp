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

namespace couplet::inline COUPLET_ABI::tokenizers {

/// What a tokenizer.json says.
struct ClipTokenizerJson {
  std::vector<std::string> tokens;  // by id, added ones included
  std::vector<ByteLevelBpe::Merge> merges;
  std::vector<AddedToken> added_tokens;
  std::optional<std::string> start, end;  // from the post-processor
  std::optional<std::string> unknown;     // of byte symbols that the vocabulary lacks
};

/// An added token's flags from an object of a tokenizer file; its id is left at -1.
inline AddedToken parse_added_token(const io::JsonField& field) {
  AddedToken token{.content = field.at("content").string()};
  const auto flag = [&field](std::string_view key) { return field.find(key) && field.find(key)->boolean(); };
  if (token.content.empty()) field.fail("an added token without text");
  for (const std::string_view key : {"single_word", "lstrip", "rstrip"}) {
    if (flag(key)) field.at(key).fail("expected false (not supported), found true");
  }
  token.normalized = flag("normalized");
  token.special = !field.find("special") || flag("special");
  return token;
}

/// Puts an added token with an id into the list of tokens: it is there already, or it is the next one.
inline void place_added_token(const AddedToken& token, std::vector<std::string>& tokens, const std::string& file) {
  const auto size = static_cast<std::int64_t>(tokens.size());
  const auto name = [](const std::string& text) { return "\"" + printable(text) + "\""; };
  if (token.id < 0 || token.id > size) {
    throw file_error(file, "added token " + name(token.content) + ": expected an id in [0, " + std::to_string(size) +
                               "], found " + std::to_string(token.id));
  }
  if (token.id == size) tokens.push_back(token.content);
  const std::string& there = tokens[static_cast<std::size_t>(token.id)];
  if (there == token.content) return;
  throw file_error(file, "added token " + name(token.content) + ": its id " + std::to_string(token.id) +
                             " is that of " + name(there));
}

namespace detail {

[[noreturn]] inline void unsupported(const io::JsonField& field, const std::string& expected) {
  const auto type = field.value().is_object() ? field.find("type") : std::nullopt;
  const bool named = type && type->value().is_string();
  field.fail("expected " + expected + ", found " +
             (named ? "\"" + printable(type->value().as_string()) + "\"" : field.value().describe()));
}

inline bool has_type(const io::JsonField& field, std::string_view type) { return field.at("type").string() == type; }

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

/// A token and its id as a post-processor states them; the token.
inline std::string stated_token(const io::JsonField& text, const io::JsonField& id,
                                const std::vector<std::string>& tokens) {
  const auto k = id.integer(0, static_cast<std::int64_t>(tokens.size()) - 1);
  if (tokens[static_cast<std::size_t>(k)] != text.string()) {
    id.fail("is not the id of \"" + printable(text.string()) + "\"");
  }
  return text.string();
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
  if (!field.value().is_object() || !has_type(field, "TemplateProcessing")) unsupported(field, expected);
  const auto parts = field.at("single").items();
  if (parts.size() != 3 || !parts[1].find("Sequence")) unsupported(field, expected);
  const auto special = [&](const io::JsonField& part) {
    const io::JsonField name = part.at("SpecialToken").at("id");
    const io::JsonField entry = field.at("special_tokens").at(name.string());
    const auto ids = entry.at("ids").items(), texts = entry.at("tokens").items();
    if (ids.size() != 1 || texts.size() != 1) unsupported(field, expected);
    return stated_token(texts[0], ids[0], out.tokens);
  };
  out.start = special(parts[0]);
  out.end = special(parts[2]);
}

/// Pairs ["a", "b"], or strings "a b" as files of tokenizers before 0.20 have them.
inline std::vector<ByteLevelBpe::Merge> read_merges(const io::JsonField& field) {
  if (!field.value().is_array()) field.fail("expected an array, found " + field.value().describe());
  const auto& items = field.value().items();
  std::vector<ByteLevelBpe::Merge> merges;
  merges.reserve(items.size());
  for (const io::Json& item : items) {
    const std::string place = field.path() + "[" + std::to_string(merges.size()) + "]";
    if (item.kind() != items.front().kind()) throw file_error(field.file(), place + ": pairs and strings in one list");
    if (item.is_string()) {
      merges.push_back(parse_merge(item.as_string(), field.file(), place));
      continue;
    }
    const bool pair =
        item.is_array() && item.items().size() == 2 && item.items()[0].is_string() && item.items()[1].is_string();
    if (!pair) throw file_error(field.file(), place + ": expected two tokens, found " + item.describe());
    merges.emplace_back(item.items()[0].as_string(), item.items()[1].as_string());
  }
  return merges;
}

/// The BPE model: vocabulary, merges, unknown token; refuses options that CLIP's does not have.
inline void read_model(const io::JsonField& model, ClipTokenizerJson& out) {
  if (const auto type = model.find("type"); type && type->string() != "BPE") {
    type->fail("expected a model of type BPE, found \"" + printable(type->string()) + "\"");
  }
  if (const auto dropout = model.find("dropout"); dropout && dropout->number(0, 1) > 0) {
    dropout->fail("expected none (it makes ids random), found " + dropout->value().describe());
  }
  for (const std::string_view key : {"fuse_unk", "byte_fallback", "ignore_merges"}) {
    if (const auto flag = model.find(key); flag && flag->boolean())
      flag->fail("expected false (not supported), found true");
  }
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

inline void read_added_tokens(const io::JsonField& field, ClipTokenizerJson& out) {
  constexpr std::size_t max_added_tokens = 1024;
  const auto items = field.items();
  if (items.size() > max_added_tokens) field.fail("more than " + std::to_string(max_added_tokens) + " added tokens");
  for (const io::JsonField& item : items) {
    out.added_tokens.push_back(parse_added_token(item));
    out.added_tokens.back().id = item.at("id").integer(0, static_cast<std::int64_t>(ByteLevelBpe::max_tokens));
  }
  auto by_id = out.added_tokens;
  std::stable_sort(by_id.begin(), by_id.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const AddedToken& token : by_id) place_added_token(token, out.tokens, field.file());
}

}  // namespace detail

/// Reads tokenizer.json. Padding and truncation stored in it are left aside: a Tokenizer has its own length.
inline ClipTokenizerJson read_clip_tokenizer_json(const std::string& path) {
  const io::JsonField file(io::Json::parse(io::read_file(path, max_vocabulary_bytes), path), path);
  ClipTokenizerJson out;
  detail::read_model(file.at("model"), out);
  if (const auto added = file.find("added_tokens")) detail::read_added_tokens(*added, out);
  if (const auto normalizer = file.find("normalizer")) detail::check_normalizer(*normalizer);
  if (const auto pre_tokenizer = file.find("pre_tokenizer")) detail::check_pre_tokenizer(*pre_tokenizer);
  if (const auto post_processor = file.find("post_processor")) detail::read_post_processor(*post_processor, out);
  if (out.unknown && std::find(out.tokens.begin(), out.tokens.end(), *out.unknown) == out.tokens.end()) {
    throw file_error(path, "model.unk_token: \"" + printable(*out.unknown) + "\" is not in the vocabulary");
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
