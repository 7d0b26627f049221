#pragma once
/// Directories with the tokenizers of SigLIP and SigLIP 2, as transformers and open_clip's repositories lay them out:
///   spiece.model       unigrams behind SiglipTokenizer's rules
///   tokenizer.json     unigrams (T5Tokenizer) or byte pair encoding (GemmaTokenizer, Siglip2Tokenizer)
///   tokenizer.model    byte pair encoding, where there is no tokenizer.json
/// and tokenizer_config.json beside it, which says the class, the special tokens and the length. Without it they are
/// those of the class: 64 ids; </s> at the end and as padding, or <eos> and <pad>.
///
/// Published SigLIP 2 directories call their class GemmaTokenizer and say do_lower_case, which that class ignores; the
/// model was trained on lower case (github.com/NVlabs/RADIO, pull request 142: -12 % zero-shot without). So
/// do_lower_case counts here, and the class Siglip2Tokenizer means it, as in transformers.
#include <cstddef>
#include <cstdint>
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
#include "couplet/tokenizers/piece_pipeline_json.hpp"
#include "couplet/tokenizers/sentencepiece_model.hpp"
#include "couplet/tokenizers/sentencepiece_tokenizer.hpp"
#include "couplet/tokenizers/tokenizer_config.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

namespace detail {

/// The vocabulary and the small files beside it, for saving.
inline std::shared_ptr<const TokenizerFiles> keep_files(const std::string& directory, const std::string& name,
                                                        std::string bytes) {
  TokenizerFiles files;
  files.emplace_back(name, std::move(bytes));
  for (const char* const more : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    const std::string path = directory + "/" + more;
    if (file_exists(path)) files.emplace_back(more, io::read_file(path, max_config_bytes));
  }
  return std::make_shared<const TokenizerFiles>(std::move(files));
}

/// The texts of special tokens where neither the configuration nor the file says any.
struct SpecialTexts {
  std::string_view start, end, pad, unknown;
};
inline constexpr SpecialTexts siglip_texts{"", "</s>", "</s>", "<unk>"};
inline constexpr SpecialTexts t5_texts{"", "</s>", "<pad>", "<unk>"};
inline constexpr SpecialTexts gemma_texts{"<bos>", "<eos>", "<pad>", "<unk>"};

inline AddedToken special_or(const std::optional<AddedToken>& said, std::string_view text) {
  return said ? *said : AddedToken{.content = std::string(text)};
}

/// Pieces by id with what their model says of them, put together with the configuration.
inline SentencePieceTokenizer make_piece_tokenizer(PiecePipelineJson json, TokenizerConfig config,
                                                   const SpecialTexts& texts, SentencePieceOptions options,
                                                   const std::string& path) {
  const bool lower = config.tokenizer_class == "Siglip2Tokenizer" || config.do_lower_case.value_or(false);
  if (!json.unigram && lower && !json.parts.normalizer.has(TextNormalizer::Step::Kind::lowercase)) {
    auto steps = json.parts.normalizer.steps();
    steps.insert(steps.begin(), TextNormalizer::lowercase());
    json.parts.normalizer = TextNormalizer(std::move(steps));
  }
  auto& tokens = json.parts.tokens;
  merge_added_tokens(config, tokens, json.parts.added_tokens, path);
  const auto id = [&](const std::optional<AddedToken>& said, std::optional<std::int64_t> otherwise,
                      std::string_view text) {
    return said || !otherwise ? id_of_token(special_or(said, text).content, tokens, path) : *otherwise;
  };
  const bool start = config.add_bos_token ? *config.add_bos_token : json.start.has_value();
  options.start = start ? id(config.start, json.start, texts.start) : -1;
  if (!config.add_eos_token.value_or(json.end.has_value())) {
    throw file_error(path, "expected a tokenizer that puts an end token behind the text");
  }
  options.end = id(config.end, json.end, texts.end);
  options.pad = id(config.pad, json.pad, texts.pad);
  options.context_length = config.context_length.value_or(options.context_length);
  options.tokenizer_class = config.tokenizer_class.value_or(options.tokenizer_class);
  return {make_pipeline(std::move(json), path), std::move(options), path};
}

/// Gemma's byte pair encoding from a SentencePiece model, as transformers converts it: every way to make a piece of two
/// others is a merge; control and user-defined pieces are added tokens.
inline PiecePipelineJson convert_gemma_model(const SentencePieceModel& model, const std::string& path) {
  using Type = SentencePieceModel::PieceType;
  const bool plain = model.algorithm == SentencePieceModel::Algorithm::bpe && model.byte_fallback &&
                     model.character_map.empty() && !model.add_dummy_prefix && !model.remove_extra_whitespaces;
  if (!plain) {
    throw file_error(path, "expected byte pair encoding with byte fallback of text as it is, as Gemma has it");
  }
  PiecePipelineJson json{.byte_fallback = true};
  PieceIds ids;
  std::vector<std::pair<std::string_view, std::int32_t>> pieces;
  for (const auto& piece : model.pieces) {
    const auto id = static_cast<std::int32_t>(ids.size());
    ids.emplace(piece.text, id);
    pieces.emplace_back(piece.text, id);
    json.parts.tokens.push_back(piece.text);
    if (piece.type == Type::unknown) json.unknown = id;
    if (piece.type == Type::normal || piece.type == Type::byte) continue;
    json.parts.added_tokens.push_back({.content = piece.text, .id = id, .special = piece.type != Type::user_defined});
  }
  json.pieces = pieces.size();
  json.merges = merges_of_pieces(pieces, ids);
  json.parts.normalizer = TextNormalizer({TextNormalizer::replace(" ", std::string(space_mark))});
  return json;
}

}  // namespace detail

/// From spiece.model, with the rules of SiglipTokenizer.
inline SentencePieceTokenizer load_siglip_tokenizer(const std::string& directory) {
  const std::string path = directory + "/spiece.model";
  const auto config = detail::read_tokenizer_config(directory, SpacesMatter::no);
  detail::expect_tokenizer_class(config, {"SiglipTokenizer"});
  std::string bytes = io::read_file(path, max_vocabulary_bytes);
  const auto pieces = std::make_shared<const SentencePiece>(parse_sentencepiece_model(bytes, path), path);
  std::vector<std::string> tokens;
  for (std::int64_t id = 0; id < pieces->size(); ++id) tokens.push_back(pieces->piece(id).text);
  std::vector<AddedToken> added;
  detail::TokenizerConfig complete = config;
  complete.end = detail::special_or(config.end, detail::siglip_texts.end);
  complete.pad = detail::special_or(config.pad, detail::siglip_texts.pad);
  complete.unknown = detail::special_or(config.unknown, detail::siglip_texts.unknown);
  detail::merge_added_tokens(complete, tokens, added, path);
  const auto id = [&](const AddedToken& token) { return detail::id_of_token(token.content, tokens, path); };
  SentencePieceOptions options{.end = id(*complete.end),
                               .pad = id(*complete.pad),
                               .context_length = config.context_length.value_or(64),
                               .tokenizer_class = "SiglipTokenizer",
                               .files = detail::keep_files(directory, "spiece.model", std::move(bytes))};
  auto rules = std::make_shared<const SiglipRules>(pieces, std::move(added), complete.unknown->content,
                                                   config.do_lower_case.value_or(true));
  return {std::move(rules), std::move(options), path};
}

/// From a parsed tokenizer.json for which is_piece_pipeline holds; `bytes` is its text.
inline SentencePieceTokenizer load_piece_tokenizer(const io::JsonField& file, std::string bytes,
                                                   const std::string& directory) {
  PiecePipelineJson json = read_piece_pipeline(file);
  auto config = detail::read_tokenizer_config(directory, json.unigram ? SpacesMatter::no : SpacesMatter::yes);
  if (json.unigram) {
    detail::expect_tokenizer_class(config, {"T5Tokenizer", "PreTrainedTokenizer", "TokenizersBackend"});
  } else {
    detail::expect_tokenizer_class(config,
                                   {"GemmaTokenizer", "Siglip2Tokenizer", "PreTrainedTokenizer", "TokenizersBackend"});
  }
  const auto& texts = json.unigram ? detail::t5_texts : detail::gemma_texts;
  SentencePieceOptions options{.tokenizer_class = json.unigram ? "T5Tokenizer" : "GemmaTokenizer",
                               .files = detail::keep_files(directory, "tokenizer.json", std::move(bytes))};
  return detail::make_piece_tokenizer(std::move(json), config, texts, std::move(options), file.file());
}

/// From tokenizer.model, with the rules of GemmaTokenizer or Siglip2Tokenizer.
inline SentencePieceTokenizer load_gemma_model(const std::string& directory) {
  const std::string path = directory + "/tokenizer.model";
  auto config = detail::read_tokenizer_config(directory);
  detail::expect_tokenizer_class(config, {"GemmaTokenizer", "Siglip2Tokenizer"});
  std::string bytes = io::read_file(path, max_vocabulary_bytes);
  PiecePipelineJson json = detail::convert_gemma_model(parse_sentencepiece_model(bytes, path), path);
  if (!config.add_eos_token) config.add_eos_token = true;
  SentencePieceOptions options{.tokenizer_class = "GemmaTokenizer",
                               .files = detail::keep_files(directory, "tokenizer.model", std::move(bytes))};
  return detail::make_piece_tokenizer(std::move(json), config, detail::gemma_texts, std::move(options), path);
}

/// Writes the files as they were read, each atomically, but for the length and the class in tokenizer_config.json.
inline void save_sentencepiece_tokenizer(const SentencePieceTokenizer& tokenizer, const std::string& directory) {
  const SentencePieceOptions& options = tokenizer.options();
  if (options.files == nullptr) fail("tokenizer.save", "a tokenizer that was not read from files");
  io::JsonWriter config;
  config.begin_object();
  bool has_class = false;
  for (const auto& [name, bytes] : *options.files) {
    if (name != "tokenizer_config.json") {
      io::write_file(directory + "/" + name, bytes);
      continue;
    }
    const io::Json before = io::Json::parse(bytes, name);
    for (const auto& [key, value] : before.members()) {
      if (key != "model_max_length") config.key(key).value(value);
      has_class = has_class || key == "tokenizer_class";
    }
  }
  if (!has_class) config.key("tokenizer_class").value(options.tokenizer_class);
  config.key("model_max_length").value(options.context_length).end_object();
  io::write_file(directory + "/tokenizer_config.json", config.str() + "\n");
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
