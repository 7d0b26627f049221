// A tokenizer.json of any bytes is refused with a file_error, or encodes any text to ids in its range.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/tokenizer_json_fuzz.cpp
//   nice ./a.out -max_total_time=300 -max_len=16384 <corpus> <folder of tokenizer.json files>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "couplet/tokenizers/clip_tokenizer_files.hpp"
#include "couplet/tokenizers/context_length.hpp"
#include "couplet/tokenizers/piece_pipeline_json.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;

constexpr std::u32string_view texts[] = {U"", U"a cat", U"  A\tcaf\u00e9  \ufb01",
                                         U"\u2581 zz\U0001f600</s><|endoftext|>"};

void check(const std::vector<std::int64_t>& ids, std::int64_t size) {
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= size) std::abort();
  }
}

void read(const io::JsonField& file) {
  std::vector<std::int64_t> ids;
  if (is_piece_pipeline(file)) {
    const auto rules = make_pipeline(read_piece_pipeline(file), "fuzz");
    for (const auto text : texts) rules->append(text, no_limit, ids);
    return check(ids, rules->size());
  }
  const ClipTokenizer tokenizer = tokenizers::detail::assemble(read_clip_tokenizer_json(file), {}, "fuzz", "fuzz");
  for (const auto text : texts) {
    tokenizer.encode(encode_utf8(text), no_limit, ids);
    check(ids, tokenizer.vocab_size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read(io::JsonField(io::Json::parse({reinterpret_cast<const char*>(data), size}, "fuzz"), "fuzz"));
  } catch (const file_error&) {
  }
  return 0;
}
