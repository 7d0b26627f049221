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
#include "couplet/tokenizers/tokenizer_config.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

namespace detail {

inline TokenizerConfig read_clip_config(const std::string& directory) {
  TokenizerConfig config = read_tokenizer_config(directory);
  expect_tokenizer_class(config, {"CLIPTokenizer"});
  return config;
}

/// Vocabulary (files.tokens, merges, unknown; defaults for start and end) and configuration put together.
inline ClipTokenizer assemble(ClipTokenizerJson files, const TokenizerConfig& config, const std::string& path,
                              const std::string& merges_path) {
  ClipTokenizerOptions options{.context_length = config.context_length.value_or(77),
                               .added_tokens = std::move(files.added_tokens)};
  merge_added_tokens(config, files.tokens, options.added_tokens, path);
  options.start = config.start ? config.start->content : files.start.value_or(options.start);
  options.end = config.end ? config.end->content : files.end.value_or(options.end);
  options.pad = config.pad ? config.pad->content : options.end;
  const std::int64_t unknown = files.unknown ? id_of_token(*files.unknown, files.tokens, path) : -1;
  auto bpe = std::make_shared<const ByteLevelBpe>(std::move(files.tokens), files.merges, unknown, path, merges_path);
  return ClipTokenizer(std::move(bpe), options, path);
}

}  // namespace detail

/// A tokenizer from vocab.json and merges.txt, with the configuration files that stand in `directory`.
inline ClipTokenizer read_clip_vocabulary(const std::string& vocab_path, const std::string& merges_path,
                                          const std::string& directory) {
  const auto config = detail::read_clip_config(directory);
  const auto vocab = io::Json::parse(io::read_file(vocab_path, max_vocabulary_bytes), vocab_path);
  ClipTokenizerJson files;
  files.tokens = tokens_by_id(io::JsonField(vocab, vocab_path));
  files.merges = parse_merges(io::read_file(merges_path, max_vocabulary_bytes), merges_path);
  files.unknown = config.unknown ? config.unknown->content : "<|endoftext|>";
  return detail::assemble(std::move(files), config, vocab_path, merges_path);
}

/// A tokenizer from a parsed tokenizer.json, with the configuration files that stand in `directory`.
inline ClipTokenizer read_clip_tokenizer_json(const io::JsonField& file, const std::string& directory) {
  const auto config = detail::read_clip_config(directory);
  return detail::assemble(read_clip_tokenizer_json(file), config, file.file(), file.file());
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
                   : read_clip_tokenizer_json(read_tokenizer_json(directory + "/tokenizer.json"), directory);
}

/// A tokenizer for a model that came without one, from one file: vocab.json (merges.txt beside it), merges.txt
/// (vocab.json beside it), or OpenAI's merges (bpe_simple_vocab_16e6.txt, also gzipped). CLIP's special tokens.
inline ClipTokenizer load_clip_vocabulary(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string directory = detail::directory_of(path);
  if (file.extension() == ".json") return read_clip_vocabulary(path, directory + "/merges.txt", directory);
  const std::string vocab = directory + "/vocab.json";
  if (file.filename() == "merges.txt" && detail::file_exists(vocab))
    return read_clip_vocabulary(vocab, path, directory);
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
