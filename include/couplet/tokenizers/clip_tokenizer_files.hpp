#pragma once
/// A directory with CLIP's tokenizer, as transformers 4 (vocab.json, merges.txt, tokenizer_config.json,
/// special_tokens_map.json) and transformers 5 (tokenizer.json, tokenizer_config.json) save it: read either, write
/// both.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
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
#include "couplet/tokenizers/clip_tokenizer.hpp"
#include "couplet/tokenizers/clip_tokenizer_json.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

namespace detail {

inline bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

inline std::optional<io::JsonField> read_json_if_there(const std::string& path) {
  constexpr std::uint64_t max_bytes = std::uint64_t{16} << 20;
  if (!file_exists(path)) return std::nullopt;
  return io::JsonField(io::Json::parse(io::read_file(path, max_bytes), path), path);
}

/// tokenizer_config.json, special_tokens_map.json and added_tokens.json of a directory, all optional.
struct TokenizerConfig {
  std::array<std::optional<AddedToken>, 4>
      special;                           // start, end, unknown, pad, in the order in which transformers adds them
  std::vector<AddedToken> added_tokens;  // with ids
  std::int64_t context_length = 77;
};

/// "text" or {"content": "text", "normalized": ...}.
inline AddedToken parse_special_token(const io::JsonField& field) {
  if (field.value().is_object()) return parse_added_token(field);
  if (field.string().empty()) field.fail("expected a token, found an empty string");
  return {.content = field.string()};
}

/// {"49406": {"content": ...}, ...} of tokenizer_config.json.
inline void read_added_tokens_decoder(const io::JsonField& field, std::vector<AddedToken>& added) {
  for (const auto& [id, token] : field.members()) {
    const bool digits = !id.empty() && id.size() <= 7 && id.find_first_not_of("0123456789") == id.npos;
    if (!digits) token.fail("expected an id as the key");
    added.push_back(parse_added_token(token));
    added.back().id = std::stoll(id);
  }
}

/// Without a length, or with the absurd one that transformers writes for "no limit" (1e30), it is CLIP's 77.
inline std::int64_t read_context_length(const io::JsonField& config) {
  const auto field = config.find("model_max_length");
  if (!field) return 77;
  const double length = field->value().is_number() ? field->value().as_number() : 0;
  return length > 1e9 ? 77 : field->integer(2, ClipTokenizer::max_context_length);
}

inline TokenizerConfig read_tokenizer_config(const std::string& directory) {
  TokenizerConfig out;
  const auto config = read_json_if_there(directory + "/tokenizer_config.json");
  const auto map = read_json_if_there(directory + "/special_tokens_map.json");
  const auto more = read_json_if_there(directory + "/added_tokens.json");
  const auto decoder = config ? config->find("added_tokens_decoder") : std::nullopt;
  static constexpr std::string_view keys[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
  for (std::size_t k = 0; k < out.special.size(); ++k) {
    // The map goes first, unless the configuration is of the later kind that lists all added tokens (as transformers).
    auto field = map && !decoder ? map->find(keys[k]) : std::nullopt;
    if (!field && config) field = config->find(keys[k]);
    if (field) out.special[k] = parse_special_token(*field);
  }
  if (config) {
    out.context_length = read_context_length(*config);
    if (const auto name = config->find("tokenizer_class"); name && !name->string().starts_with("CLIPTokenizer")) {
      name->fail("expected CLIPTokenizer, found \"" + printable(name->string()) + "\"");
    }
  }
  if (decoder) read_added_tokens_decoder(*decoder, out.added_tokens);
  if (more) {
    for (const auto& [content, id] : more->members()) {
      if (content.empty()) id.fail("an added token without text");
      const auto number = id.integer(0, static_cast<std::int64_t>(ByteLevelBpe::max_tokens));
      out.added_tokens.push_back({.content = content, .id = number, .special = false});
    }
  }
  const auto by_id = [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; };
  std::stable_sort(out.added_tokens.begin(), out.added_tokens.end(), by_id);
  return out;
}

/// Adds the token, or replaces the one with its id.
inline void put_token(AddedToken token, std::vector<AddedToken>& list) {
  const auto same = std::find_if(list.begin(), list.end(), [&](const AddedToken& t) { return t.id == token.id; });
  if (same == list.end()) {
    list.push_back(std::move(token));
  } else {
    *same = std::move(token);
  }
}

/// Vocabulary (files.tokens, merges, unknown; defaults for start and end) and configuration put together.
inline ClipTokenizer assemble(ClipTokenizerJson files, const TokenizerConfig& config, const std::string& path,
                              const std::string& merges_path) {
  ClipTokenizerOptions options{.context_length = config.context_length, .added_tokens = std::move(files.added_tokens)};
  for (const AddedToken& token : config.added_tokens) {
    place_added_token(token, files.tokens, path);
    put_token(token, options.added_tokens);
  }
  const std::size_t listed = options.added_tokens.size();
  const auto id_of = [&files, &path](const std::string& text) {
    const auto found = std::find(files.tokens.begin(), files.tokens.end(), text);
    if (found == files.tokens.end())
      throw file_error(path, "the special token \"" + printable(text) + "\" is not in the vocabulary");
    return static_cast<std::int64_t>(found - files.tokens.begin());
  };
  for (const auto& special : config.special) {
    if (!special) continue;
    AddedToken token = *special;
    token.id = id_of(token.content);
    const auto same = [&token](const AddedToken& t) { return t.id == token.id; };
    const auto end = options.added_tokens.begin() + static_cast<std::ptrdiff_t>(listed);
    if (std::none_of(options.added_tokens.begin(), end, same)) put_token(std::move(token), options.added_tokens);
  }
  options.start = config.special[0] ? config.special[0]->content : files.start.value_or(options.start);
  options.end = config.special[1] ? config.special[1]->content : files.end.value_or(options.end);
  options.pad = config.special[3] ? config.special[3]->content : options.end;
  const std::int64_t unknown = files.unknown ? id_of(*files.unknown) : -1;
  auto bpe = std::make_shared<const ByteLevelBpe>(std::move(files.tokens), files.merges, unknown, path, merges_path);
  return ClipTokenizer(std::move(bpe), options, path);
}

}  // namespace detail

/// A tokenizer from vocab.json and merges.txt, with the configuration files that stand in `directory`.
inline ClipTokenizer read_clip_vocabulary(const std::string& vocab_path, const std::string& merges_path,
                                          const std::string& directory) {
  const auto config = detail::read_tokenizer_config(directory);
  const auto vocab = io::Json::parse(io::read_file(vocab_path, max_vocabulary_bytes), vocab_path);
  ClipTokenizerJson files;
  files.tokens = tokens_by_id(io::JsonField(vocab, vocab_path));
  files.merges = parse_merges(io::read_file(merges_path, max_vocabulary_bytes), merges_path);
  files.unknown = config.special[2] ? config.special[2]->content : "<|endoftext|>";
  return detail::assemble(std::move(files), config, vocab_path, merges_path);
}

/// A tokenizer from tokenizer.json, with the configuration files that stand in `directory`.
inline ClipTokenizer read_clip_tokenizer_json(const std::string& path, const std::string& directory) {
  const auto config = detail::read_tokenizer_config(directory);
  return detail::assemble(read_clip_tokenizer_json(path), config, path, path);
}

[[nodiscard]] inline bool has_clip_tokenizer(const std::string& directory) {
  const auto there = [&directory](const char* name) { return detail::file_exists(directory + "/" + name); };
  return (there("vocab.json") && there("merges.txt")) || there("tokenizer.json");
}

/// From vocab.json and merges.txt if both are there, else from tokenizer.json.
inline ClipTokenizer load_clip_tokenizer(const std::string& directory) {
  const std::string vocab = directory + "/vocab.json", merges = directory + "/merges.txt";
  const bool two_files = detail::file_exists(vocab) && detail::file_exists(merges);
  return two_files ? read_clip_vocabulary(vocab, merges, directory)
                   : read_clip_tokenizer_json(directory + "/tokenizer.json", directory);
}

/// A tokenizer for a model that came without one, from one file: vocab.json (merges.txt beside it), merges.txt
/// (vocab.json beside it), tokenizer.json, or OpenAI's merges (bpe_simple_vocab_16e6.txt, also gzipped). CLIP's special
/// tokens.
inline ClipTokenizer load_clip_vocabulary(const std::string& path) {
  const std::filesystem::path file(path);
  const auto beside = [&file](const char* name) { return (file.parent_path() / name).string(); };
  if (file.filename() == "tokenizer.json") return read_clip_tokenizer_json(path, file.parent_path().string());
  if (file.extension() == ".json") return read_clip_vocabulary(path, beside("merges.txt"), file.parent_path().string());
  if (file.filename() == "merges.txt" && detail::file_exists(beside("vocab.json"))) {
    return read_clip_vocabulary(beside("vocab.json"), path, file.parent_path().string());
  }
  return ClipTokenizer(read_openai_merges(path), {}, path);
}

/// Writes vocab.json, merges.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, each atomically.
inline void save_clip_tokenizer(const ClipTokenizer& tokenizer, const std::string& directory) {
  const ByteLevelBpe& bpe = tokenizer.bpe();
  write_vocab_json(bpe, directory + "/vocab.json");
  write_merges(bpe, directory + "/merges.txt");
  write_clip_tokenizer_json(tokenizer, directory + "/tokenizer.json");
  const auto specials = [&](io::JsonWriter& json) {
    json.key("bos_token").value(bpe.token(tokenizer.bos_token_id()));
    json.key("eos_token").value(bpe.token(tokenizer.eos_token_id()));
    json.key("pad_token").value(bpe.token(tokenizer.pad_token_id()));
    if (bpe.unknown() >= 0) json.key("unk_token").value(bpe.token(bpe.unknown()));
  };
  io::JsonWriter map, config;
  map.begin_object();
  specials(map);
  io::write_file(directory + "/special_tokens_map.json", map.end_object().str() + "\n");
  config.begin_object().key("added_tokens_decoder").begin_object();
  for (const AddedToken& token : tokenizer.added_tokens()) {
    config.key(std::to_string(token.id)).begin_object().key("content").value(token.content);
    for (const char* key : {"lstrip", "rstrip", "single_word"}) config.key(key).value(false);
    config.key("normalized").value(token.normalized).key("special").value(token.special).end_object();
  }
  config.end_object();
  specials(config);
  config.key("do_lower_case").value(true).key("model_max_length").value(tokenizer.context_length());
  config.key("tokenizer_class").value("CLIPTokenizer");
  io::write_file(directory + "/tokenizer_config.json", config.end_object().str() + "\n");
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
