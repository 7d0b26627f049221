#pragma once
/// tokenizer.json of tokenizers in the manner of SentencePiece: unigrams as T5 and open_clip's SigLIP have them, byte
/// pair encoding with byte fallback as Gemma and SigLIP 2. Every part that would make other ids is refused by name.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/json.hpp"
#include "couplet/tokenizers/base64.hpp"
#include "couplet/tokenizers/bpe_files.hpp"
#include "couplet/tokenizers/piece_pipeline.hpp"
#include "couplet/tokenizers/sentencepiece_model.hpp"
#include "couplet/tokenizers/text_normalizer.hpp"
#include "couplet/tokenizers/tokenizer_json.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

/// What a tokenizer.json of this kind says; make_pipeline puts it together.
struct PiecePipelineJson {
  PiecePipeline::Parts parts = {};
  std::size_t pieces = 0;  // tokens of the model; those behind are added ones
  std::int64_t unknown = 0;
  bool byte_fallback = false;
  std::vector<double> scores = {};             // of unigrams, by id
  std::vector<MergeTable::Merge> merges = {};  // of byte pair encoding
  bool unigram = false;
  std::optional<std::int64_t> start = {}, end = {};  // from the post-processor
  std::optional<std::int64_t> pad = {};              // from the padding
};

namespace detail {

inline TextNormalizer::Step read_replace(const io::JsonField& field) {
  const io::JsonField pattern = field.at("pattern");
  const std::string content = field.at("content").string();
  if (content.size() > CharacterMap::max_replacement_bytes) field.at("content").fail("too long");
  if (const auto text = pattern.find("String"); text && !text->string().empty()) {
    return TextNormalizer::replace(text->string(), content);
  }
  if (const auto regex = pattern.find("Regex"); regex && regex->string() == " {2,}") {
    return TextNormalizer::replace_spaces(content);
  }
  pattern.fail(R"(expected a String or the Regex " {2,}")");
}

inline TextNormalizer::Step read_precompiled(const io::JsonField& field) {
  const io::JsonField map = field.at("precompiled_charsmap");
  const auto bytes = decode_base64(map.string());
  if (!bytes) map.fail("not base64");
  return TextNormalizer::precompiled(std::make_shared<const CharacterMap>(*bytes, field.file()));
}

inline TextNormalizer::Step read_normalizer_step(const io::JsonField& field) {
  const std::string expected = "Lowercase, Replace, Strip, Precompiled or a Sequence of them";
  if (!field.value().is_object()) unsupported(field, expected);
  if (has_type(field, "Lowercase")) return TextNormalizer::lowercase();
  if (has_type(field, "Replace")) return read_replace(field);
  if (has_type(field, "Precompiled")) return read_precompiled(field);
  if (!has_type(field, "Strip")) unsupported(field, expected);
  return TextNormalizer::strip(field.at("strip_left").boolean(), field.at("strip_right").boolean());
}

inline TextNormalizer read_text_normalizer(const io::JsonField& field) {
  std::vector<TextNormalizer::Step> steps;
  if (field.value().is_object() && has_type(field, "Sequence")) {
    for (const io::JsonField& step : field.at("normalizers").items()) steps.push_back(read_normalizer_step(step));
  } else {
    steps.push_back(read_normalizer_step(field));
  }
  return TextNormalizer(std::move(steps));
}

/// U+2581 in front of every word. Older files say add_prefix_space.
inline void check_metaspace(const io::JsonField& field) {
  const std::string expected = "a Metaspace of U+2581 that always prepends and splits";
  if (!field.value().is_object() || !has_type(field, "Metaspace")) unsupported(field, expected);
  const auto scheme = field.find("prepend_scheme"), prefix = field.find("add_prefix_space");
  const auto split = field.find("split");
  const bool always = scheme ? scheme->string() == "always" : prefix && prefix->boolean();
  if (field.at("replacement").string() != space_mark || !always || (split && !split->boolean())) {
    unsupported(field, expected);
  }
}

/// Metaspace, or a Sequence of WhitespaceSplit and Metaspace; whether the former is there.
inline bool read_word_splitter(const io::JsonField& field) {
  if (!field.value().is_object() || !has_type(field, "Sequence")) {
    check_metaspace(field);
    return false;
  }
  const auto steps = field.at("pretokenizers").items();
  const bool two = steps.size() == 2 && steps[0].value().is_object() && has_type(steps[0], "WhitespaceSplit");
  if (!two) unsupported(field, "WhitespaceSplit and Metaspace");
  check_metaspace(steps[1]);
  return true;
}

/// Gemma's files split at spaces, of which normalising has left none.
inline void check_no_splitter(const io::JsonField& field, const TextNormalizer& normalizer) {
  const auto replaces_spaces = [](const TextNormalizer::Step& step) {
    const bool replaces = step.kind == TextNormalizer::Step::Kind::replace;
    return replaces && step.from == " " && step.to.find(' ') == std::string::npos;
  };
  const auto& steps = normalizer.steps();
  const bool no_spaces = !steps.empty() && replaces_spaces(steps.back());
  const bool split = field.value().is_object() && has_type(field, "Split") && field.at("pattern").find("String") &&
                     field.at("pattern").at("String").string() == " ";
  if (!split || !no_spaces) unsupported(field, "no pre-tokenizer, or a Split at spaces that are all replaced before");
}

/// [["piece", score], ...]
inline void read_unigram(const io::JsonField& model, PiecePipelineJson& out) {
  const io::JsonField vocabulary = model.at("vocab");
  if (!vocabulary.value().is_array()) vocabulary.fail("expected an array, found " + vocabulary.value().describe());
  const auto& items = vocabulary.value().items();
  if (items.empty() || items.size() > SentencePieceModel::max_pieces) {
    vocabulary.fail("expected 1 to " + std::to_string(SentencePieceModel::max_pieces) + " pieces, found " +
                    std::to_string(items.size()));
  }
  for (const io::Json& item : items) {
    const bool pair =
        item.is_array() && item.items().size() == 2 && item.items()[0].is_string() && item.items()[1].is_number();
    if (!pair) vocabulary.fail("[" + std::to_string(out.scores.size()) + "]: expected a piece and its score");
    out.parts.tokens.push_back(item.items()[0].as_string());
    out.scores.push_back(item.items()[1].as_number());
  }
  out.unigram = true;
  out.unknown = model.at("unk_id").integer(0, static_cast<std::int64_t>(items.size()) - 1);
  const auto bytes = model.find("byte_fallback");
  out.byte_fallback = bytes && bytes->boolean();
}

/// Gemma's BPE: with byte fallback, without marks for the ends of words.
inline void read_character_bpe(const io::JsonField& model, PiecePipelineJson& out) {
  for (const std::string_view key : {"fuse_unk", "byte_fallback"}) {
    if (!model.at(key).boolean()) model.at(key).fail("expected true, found false");
  }
  check_bpe_options(model, {"ignore_merges"});
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto affix = model.find(key); affix && !affix->string().empty()) {
      affix->fail("expected none, found " + affix->value().describe());
    }
  }
  out.parts.tokens = tokens_by_id(model.at("vocab"));
  PieceIds ids;
  for (std::size_t id = 0; id < out.parts.tokens.size(); ++id) {
    ids.emplace(out.parts.tokens[id], static_cast<std::int32_t>(id));
  }
  const io::JsonField merges = model.at("merges");
  for (const auto& [left, right] : read_merges(merges)) {
    const auto place = static_cast<std::int32_t>(out.merges.size());
    const auto a = ids.find(left), b = ids.find(right), joined = ids.find(left + right);
    if (a == ids.end() || b == ids.end() || joined == ids.end()) {
      merges.fail("[" + std::to_string(place) + "]: \"" + printable(left) + "\", \"" + printable(right) +
                  "\" or both together are not in the vocabulary");
    }
    out.merges.push_back({a->second, b->second, place, joined->second});
  }
  const io::JsonField unknown = model.at("unk_token");
  const auto found = ids.find(unknown.string());
  if (found == ids.end()) unknown.fail("\"" + printable(unknown.string()) + "\" is not in the vocabulary");
  out.unknown = found->second;
  out.byte_fallback = true;
}

/// Texts that are not empty and all different.
inline PieceIds index_tokens(const std::vector<std::string>& tokens, const std::string& file) {
  PieceIds ids;
  ids.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string& text = tokens[id];
    const auto refuse = [&](const std::string& why) {
      throw file_error(file, "token " + std::to_string(id) + " \"" + printable(text) + "\": " + why);
    };
    if (text.empty()) refuse("expected a text, found none");
    if (text.size() > SentencePieceModel::max_piece_bytes) refuse("too long");
    if (!ids.emplace(text, static_cast<std::int32_t>(id)).second) refuse("the same text is in the list twice");
  }
  return ids;
}

}  // namespace detail

/// Whether a tokenizer.json is of this kind: unigrams, or byte pair encoding with byte fallback.
[[nodiscard]] inline bool is_piece_pipeline(const io::JsonField& file) {
  const io::JsonField model = file.at("model");
  const auto type = model.find("type");
  const auto bytes = model.find("byte_fallback");
  return (type && type->string() == "Unigram") || (bytes && bytes->boolean());
}

/// file_error naming the part that is damaged or not supported. Truncation stored in the file is left aside.
[[nodiscard]] inline PiecePipelineJson read_piece_pipeline(const io::JsonField& file) {
  PiecePipelineJson out;
  const io::JsonField model = file.at("model");
  const std::string type = model.at("type").string();
  if (type == "Unigram") {
    detail::read_unigram(model, out);
  } else if (type == "BPE") {
    detail::read_character_bpe(model, out);
  } else {
    model.at("type").fail("expected Unigram or BPE, found \"" + printable(type) + "\"");
  }
  out.pieces = out.parts.tokens.size();
  const auto spaces = out.unigram ? SpacesMatter::no : SpacesMatter::yes;
  if (const auto added = file.find("added_tokens")) {
    out.parts.added_tokens = detail::read_added_tokens(*added, out.parts.tokens, spaces);
  }
  if (const auto normalizer = file.find("normalizer")) out.parts.normalizer = detail::read_text_normalizer(*normalizer);
  const auto splitter = file.find("pre_tokenizer");
  if (out.unigram) out.parts.whitespace_split = detail::read_word_splitter(file.at("pre_tokenizer"));
  if (!out.unigram && splitter) detail::check_no_splitter(*splitter, out.parts.normalizer);
  if (const auto post_processor = file.find("post_processor")) {
    const auto row = detail::read_template(*post_processor, out.parts.tokens);
    out.start = row.start, out.end = row.end;
  }
  if (const auto padding = file.find("padding")) {
    out.pad = padding->at("pad_id").integer(0, static_cast<std::int64_t>(out.parts.tokens.size()) - 1);
  }
  return out;
}

/// file_error: tokens that are repeated or too long, byte fallback without the pieces of all bytes.
[[nodiscard]] inline std::shared_ptr<const PiecePipeline> make_pipeline(PiecePipelineJson from,
                                                                        const std::string& file) {
  using Model = std::variant<WordUnigram, CharacterBpe>;
  return std::make_shared<const PiecePipeline>(
      std::move(from.parts), [&from, &file](const std::vector<std::string>& tokens) -> Model {
        PieceIds ids = detail::index_tokens(tokens, file);
        std::erase_if(ids,
                      [&from](const auto& token) { return static_cast<std::size_t>(token.second) >= from.pieces; });
        CharacterFallback fallback{.unknown = static_cast<std::int32_t>(from.unknown)};
        if (from.byte_fallback) fallback.bytes = find_byte_pieces(ids);
        if (from.byte_fallback && !fallback.bytes) {
          throw file_error(file, "byte_fallback without the 256 tokens <0x00> ... <0xFF>");
        }
        std::vector<std::pair<std::string_view, std::int32_t>> found;
        for (std::size_t id = 0; id < from.pieces; ++id) {
          const bool character = tokens[id].size() == character_bytes(tokens[id][0]);
          if (from.unigram || character) found.emplace_back(tokens[id], static_cast<std::int32_t>(id));
        }
        if (from.unigram) return WordUnigram(found, std::move(from.scores), fallback, std::move(ids));
        MergeTable merges(std::move(from.merges));
        if (const auto twice = merges.repeated()) {
          throw file_error(
              file, "merge " + std::to_string(twice->second) + ": the same as merge " + std::to_string(twice->first));
        }
        return CharacterBpe(found, std::move(merges), fallback, static_cast<std::int32_t>(tokens.size()));
      });
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
