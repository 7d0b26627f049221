#pragma once
/// The small files beside a vocabulary: tokenizer_config.json, special_tokens_map.json and added_tokens.json, as
/// transformers 4 and 5 write them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/context_length.hpp"
#include "couplet/tokenizers/tokenizer_json.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

namespace detail {

inline bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// "." for a file of the working directory.
inline std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

inline constexpr std::uint64_t max_config_bytes = std::uint64_t{16} << 20;

inline std::optional<io::JsonField> read_json_if_there(const std::string& path) {
  if (!file_exists(path)) return std::nullopt;
  return io::JsonField(io::Json::parse(io::read_file(path, max_config_bytes), path), path);
}

/// tokenizer_config.json, special_tokens_map.json and added_tokens.json of a directory, all optional.
struct TokenizerConfig {
  std::string path;                                 // of tokenizer_config.json
  std::optional<std::string> tokenizer_class = {};  // without "Fast" at its end
  std::optional<AddedToken> start = {}, end = {}, unknown = {}, pad = {};
  std::vector<AddedToken> added_tokens = {};  // with ids, sorted by them
  std::optional<std::int64_t> context_length = {};
  std::optional<bool> do_lower_case = {}, add_bos_token = {}, add_eos_token = {};
};

/// "text" or {"content": "text", "normalized": ...}.
inline AddedToken parse_special_token(const io::JsonField& field, SpacesMatter spaces) {
  if (field.value().is_object()) return parse_added_token(field, spaces);
  if (field.string().empty()) field.fail("expected a token, found an empty string");
  return {.content = field.string()};
}

/// {"49406": {"content": ...}, ...} of tokenizer_config.json.
inline void read_added_tokens_decoder(const io::JsonField& field, SpacesMatter spaces, std::vector<AddedToken>& added) {
  for (const auto& [id, token] : field.members()) {
    const bool digits = !id.empty() && id.size() <= 7 && id.find_first_not_of("0123456789") == id.npos;
    if (!digits) token.fail("expected an id as the key");
    added.push_back(parse_added_token(token, spaces));
    added.back().id = std::stoll(id);
  }
}

/// No length, or the absurd one that transformers writes for "no limit" (1e30): none.
inline std::optional<std::int64_t> read_context_length(const io::JsonField& config) {
  const auto field = config.find("model_max_length");
  const double length = field && field->value().is_number() ? field->value().as_number() : 0;
  if (!field || length > 1e9) return std::nullopt;
  return field->integer(2, max_context_length);
}

/// bos_token, eos_token, unk_token, pad_token. The map goes first, unless the configuration is of the later kind that
/// lists all added tokens (as transformers).
inline void read_special_tokens(const std::optional<io::JsonField>& config, const std::optional<io::JsonField>& map,
                                SpacesMatter spaces, TokenizerConfig& out) {
  const bool lists_all = config && config->find("added_tokens_decoder");
  const auto read = [&](std::string_view key) -> std::optional<AddedToken> {
    auto field = map && !lists_all ? map->find(key) : std::nullopt;
    if (!field && config) field = config->find(key);
    if (!field) return std::nullopt;
    return parse_special_token(*field, spaces);
  };
  out.start = read("bos_token"), out.end = read("eos_token");
  out.unknown = read("unk_token"), out.pad = read("pad_token");
}

/// {"<new>": 49408, ...} of added_tokens.json.
inline void read_added_tokens_map(const io::JsonField& file, std::vector<AddedToken>& added) {
  for (const auto& [content, id] : file.members()) {
    if (content.empty()) id.fail("an added token without text");
    const auto number = id.integer(0, static_cast<std::int64_t>(ByteLevelBpe::max_tokens));
    added.push_back({.content = content, .id = number, .special = false});
  }
}

/// The files of a directory, all of them optional.
inline TokenizerConfig read_tokenizer_config(const std::string& directory, SpacesMatter spaces = SpacesMatter::yes) {
  TokenizerConfig out{.path = directory + "/tokenizer_config.json"};
  const auto config = read_json_if_there(out.path);
  const auto map = read_json_if_there(directory + "/special_tokens_map.json");
  const auto more = read_json_if_there(directory + "/added_tokens.json");
  read_special_tokens(config, map, spaces, out);
  if (config) {
    out.context_length = read_context_length(*config);
    const auto flag = [&config](std::string_view key) -> std::optional<bool> {
      const auto field = config->find(key);
      return field ? std::optional(field->boolean()) : std::nullopt;
    };
    out.do_lower_case = flag("do_lower_case");
    out.add_bos_token = flag("add_bos_token"), out.add_eos_token = flag("add_eos_token");
    if (const auto name = config->find("tokenizer_class")) {
      out.tokenizer_class = name->string();
      if (out.tokenizer_class->ends_with("Fast")) out.tokenizer_class->resize(out.tokenizer_class->size() - 4);
    }
    if (const auto decoder = config->find("added_tokens_decoder")) {
      read_added_tokens_decoder(*decoder, spaces, out.added_tokens);
    }
  }
  if (more) read_added_tokens_map(*more, out.added_tokens);
  const auto by_id = [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; };
  std::stable_sort(out.added_tokens.begin(), out.added_tokens.end(), by_id);
  return out;
}

/// file_error unless the configuration names one of these classes, or none.
inline void expect_tokenizer_class(const TokenizerConfig& config, std::initializer_list<std::string_view> classes) {
  if (!config.tokenizer_class) return;
  std::string names;
  for (const std::string_view name : classes) {
    if (*config.tokenizer_class == name) return;
    names += (names.empty() ? "" : " or ") + std::string(name);
  }
  throw file_error(config.path,
                   "tokenizer_class: expected " + names + ", found \"" + printable(*config.tokenizer_class) + "\"");
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

inline std::int64_t id_of_token(const std::string& text, const std::vector<std::string>& tokens,
                                const std::string& file) {
  const auto found = std::find(tokens.begin(), tokens.end(), text);
  if (found == tokens.end()) {
    throw file_error(file, "the special token \"" + printable(text) + "\" is not in the vocabulary");
  }
  return found - tokens.begin();
}

/// Adds what the configuration says to the vocabulary (`tokens`, by id) and to the list of added tokens: first those
/// with ids, then start, end, unknown and pad (the order of transformers) where no listed one has their id.
inline void merge_added_tokens(const TokenizerConfig& config, std::vector<std::string>& tokens,
                               std::vector<AddedToken>& added, const std::string& file) {
  for (const AddedToken& token : config.added_tokens) {
    place_added_token(token, tokens, file);
    put_token(token, added);
  }
  const auto listed = static_cast<std::ptrdiff_t>(added.size());
  for (const auto& special : {config.start, config.end, config.unknown, config.pad}) {
    if (!special) continue;
    AddedToken token = *special;
    token.id = id_of_token(token.content, tokens, file);
    const auto same = [&token](const AddedToken& t) { return t.id == token.id; };
    if (std::none_of(added.begin(), added.begin() + listed, same)) put_token(std::move(token), added);
  }
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::tokenizers
