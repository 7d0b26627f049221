// A vocab.json and a merges.txt (behind the first NUL) of any bytes are refused with a file_error, or encode any text
// to ids in their range.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/clip_vocabulary_fuzz.cpp
//   nice ./a.out -max_total_time=300 -max_len=16384 <corpus>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/tokenizers/bpe_files.hpp"
#include "couplet/tokenizers/clip_tokenizer.hpp"
#include "couplet/tokenizers/context_length.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;

void read(std::string_view vocabulary, std::string_view merges) {
  auto tokens = tokens_by_id(io::JsonField(io::Json::parse(vocabulary, "fuzz"), "fuzz"));
  if (tokens.size() < 2) return;
  const ClipTokenizerOptions options{.start = tokens[0], .end = tokens.back(), .pad = tokens[0]};
  const ClipTokenizer tokenizer(
      std::make_shared<const ByteLevelBpe>(std::move(tokens), parse_merges(merges, "fuzz"), 0, "fuzz", "fuzz"), options,
      "fuzz");
  for (const std::string_view text : {"", "a cat abab", "  A\tcaf\xc3\xa9 \xff", "aaaaaaaaaaaaaaaa"}) {
    std::vector<std::int64_t> ids;
    tokenizer.encode(text, no_limit, ids);
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
    }
    static_cast<void>(tokenizer.decode(ids));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(bytes.find('\0'), size);
  try {
    read(bytes.substr(0, cut), bytes.substr(std::min(cut + 1, size)));
  } catch (const file_error&) {
  }
  return 0;
}
