#pragma once
/// What the kinds of tokenizer.json, the one-file form of a tokenizer, have in common: added tokens, merges, tokens
/// with their ids, and named errors for parts that are not supported.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"
#include "couplet/tokenizers/added_tokens.hpp"
#include "couplet/tokenizers/bpe_files.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

[[nodiscard]] inline io::JsonField read_tokenizer_json(const std::string& path) {
  return io::JsonField(io::Json::parse(io::read_file(path, max_vocabulary_bytes), path), path);
}

/// Whether the spaces around an added token can change ids: lstrip and rstrip would matter then, and are refused.
enum class SpacesMatter { no, yes };

/// An added token's flags from an object of a tokenizer file; its id is left at -1.
inline AddedToken parse_added_token(const io::JsonField& field, SpacesMatter spaces = SpacesMatter::yes) {
  AddedToken token{.content = field.at("content").string()};
  const auto flag = [&field](std::string_view key) { return field.find(key) && field.find(key)->boolean(); };
  if (token.content.empty()) field.fail("an added token without text");
  for (const std::string_view key : {"single_word", "lstrip", "rstrip"}) {
    const bool free = key != "single_word" && spaces == SpacesMatter::no;
    if (flag(key) && !free) field.at(key).fail("expected false (not supported), found true");
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

/// A token and its id as a post-processor states them; the token.
inline std::string stated_token(const io::JsonField& text, const io::JsonField& id,
                                const std::vector<std::string>& tokens) {
  const auto k = id.integer(0, static_cast<std::int64_t>(tokens.size()) - 1);
  if (tokens[static_cast<std::size_t>(k)] != text.string()) {
    id.fail("is not the id of \"" + printable(text.string()) + "\"");
  }
  return text.string();
}

/// What a TemplateProcessing puts around a text: ids.
struct RowTemplate {
  std::optional<std::int64_t> start, end;
};

/// At most one token before the text and at most one after it.
inline RowTemplate read_template(const io::JsonField& field, const std::vector<std::string>& tokens) {
  const std::string expected = "a post-processor that puts at most one token before the text and one after it";
  if (!field.value().is_object() || !has_type(field, "TemplateProcessing")) unsupported(field, expected);
  RowTemplate row;
  bool text = false;
  for (const io::JsonField& part : field.at("single").items()) {
    if (part.find("Sequence")) {
      if (text) unsupported(field, expected);
      text = true;
      continue;
    }
    const io::JsonField entry = field.at("special_tokens").at(part.at("SpecialToken").at("id").string());
    const auto ids = entry.at("ids").items(), texts = entry.at("tokens").items();
    auto& place = text ? row.end : row.start;
    if (ids.size() != 1 || texts.size() != 1 || place) unsupported(field, expected);
    stated_token(texts[0], ids[0], tokens);
    place = ids[0].value().as_integer();
  }
  if (!text) unsupported(field, expected);
  return row;
}

/// No dropout, and none of these flags set.
inline void check_bpe_options(const io::JsonField& model, std::initializer_list<std::string_view> flags) {
  if (const auto dropout = model.find("dropout"); dropout && dropout->number(0, 1) > 0) {
    dropout->fail("expected none (it makes ids random), found " + dropout->value().describe());
  }
  for (const std::string_view key : flags) {
    if (const auto flag = model.find(key); flag && flag->boolean())
      flag->fail("expected false (not supported), found true");
  }
}

/// Pairs ["a", "b"], or strings "a b" as files of tokenizers before 0.20 have them.
inline std::vector<ByteLevelBpe::Merge> read_merges(const io::JsonField& field) {
  if (!field.value().is_array()) field.fail("expected an array, found " + field.value().describe());
  const auto& items = field.value().items();
  std::vector<ByteLevelBpe::Merge> merges;
  merges.reserve(items.size());
  for (const io::Json& item : items) {
    const auto place = [&] { return field.path() + "[" + std::to_string(merges.size()) + "]"; };
    if (item.kind() != items.front().kind())
      throw file_error(field.file(), place() + ": pairs and strings in one list");
    if (item.is_string()) {
      merges.push_back(parse_merge(item.as_string(), field.file(), place()));
      continue;
    }
    const bool pair =
        item.is_array() && item.items().size() == 2 && item.items()[0].is_string() && item.items()[1].is_string();
    if (!pair) throw file_error(field.file(), place() + ": expected two tokens, found " + item.describe());
    merges.emplace_back(item.items()[0].as_string(), item.items()[1].as_string());
  }
  return merges;
}

/// The list of added tokens; `tokens` (by id) gets those that are not in the vocabulary.
inline std::vector<AddedToken> read_added_tokens(const io::JsonField& field, std::vector<std::string>& tokens,
                                                 SpacesMatter spaces = SpacesMatter::yes) {
  constexpr std::size_t max_added_tokens = 8192;
  std::vector<AddedToken> added;
  const auto items = field.items();
  if (items.size() > max_added_tokens) field.fail("more than " + std::to_string(max_added_tokens) + " added tokens");
  for (const io::JsonField& item : items) {
    added.push_back(parse_added_token(item, spaces));
    added.back().id = item.at("id").integer(0, static_cast<std::int64_t>(ByteLevelBpe::max_tokens));
  }
  auto by_id = added;
  std::stable_sort(by_id.begin(), by_id.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const AddedToken& token : by_id) place_added_token(token, tokens, field.file());
  return added;
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::tokenizers
