#pragma once
/// What the tests of the tokenizers share: the golden data, and a small vocabulary that needs none.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"
#include "couplet/tokenizers/bpe_trainer.hpp"
#include "couplet/tokenizers/clip_tokenizer.hpp"
#include "couplet/tokenizers/clip_tokenizer_files.hpp"

namespace couplet::test {

/// The folder of shared data: COUPLET_SHARED of the environment, else where the build found it; "" if there is none.
inline std::string shared_directory() {
  std::string folder;
#if defined(COUPLET_SHARED_DIR)
  folder = COUPLET_SHARED_DIR;
#endif
  if (const char* const set = std::getenv("COUPLET_SHARED"); set != nullptr && *set != '\0') folder = set;
  return tokenizers::detail::file_exists(folder + "/golden/tokenizers/strings.jsonl") ? folder : "";
}

/// Ends a test with a word when there is no golden data.
#define COUPLET_NEEDS_GOLDEN_TOKENIZERS()      \
  if (couplet::test::shared_directory() == "") \
  GTEST_SKIP() << "no golden data: set COUPLET_SHARED to the folder that holds golden/tokenizers"

inline std::string golden_tokenizers() { return shared_directory() + "/golden/tokenizers"; }

/// One JSON value per line.
inline std::vector<io::Json> read_json_lines(const std::string& path) {
  const std::string text = io::read_file(path, std::uint64_t{1} << 30);
  std::vector<io::Json> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(io::Json::parse(std::string_view(text).substr(at, end - at), path));
    at = end + 1;
  }
  return lines;
}

inline std::vector<std::int64_t> integers(const io::Json& array) {
  std::vector<std::int64_t> values;
  for (const io::Json& item : array.items()) values.push_back(item.as_integer());
  return values;
}

/// A vocabulary of about 600 tokens, trained on the spot.
inline tokenizers::ClipTokenizer small_tokenizer() {
  static const tokenizers::ClipTokenizer tokenizer = [] {
    std::vector<std::string> captions;
    for (const char* const thing : {"cat", "dog", "red car", "small house", "photograph of a tree", "cafe"}) {
      for (const char* const form : {"a photo of a ", "the ", "it's the ", "a drawing of the ", "there are two "}) {
        captions.push_back(std::string(form) + thing + ".");
      }
    }
    return tokenizers::train_bpe(captions, {.vocab_size = 600});
  }();
  return tokenizer;
}

}  // namespace couplet::test
