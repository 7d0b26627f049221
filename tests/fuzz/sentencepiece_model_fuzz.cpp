// A SentencePiece model (.model) of any bytes is refused with a file_error, or encodes any text to ids in its range.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/sentencepiece_model_fuzz.cpp
//   nice ./a.out -max_total_time=300 -max_len=8192 <corpus> <folder of .model files>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/tokenizers/sentencepiece.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;

constexpr std::string_view texts[] = {"", "a cat", "  A\tcaf\xc3\xa9  \xef\xac\x81",
                                      "\xe2\x96\x81 zz\xf0\x9f\x98\x80</s>"};

void encode_all(const SentencePiece& pieces) {
  SentencePiece::Scratch scratch;
  std::vector<std::int64_t> ids;
  for (const std::string_view text : texts) pieces.encode(text, scratch, ids);
  // A piece of the model itself is a text too.
  if (pieces.size() > 0) pieces.encode(pieces.piece(pieces.size() / 2).text, scratch, ids);
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= pieces.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    encode_all(SentencePiece(parse_sentencepiece_model({reinterpret_cast<const char*>(data), size}, "fuzz"), "fuzz"));
  } catch (const file_error&) {
  }
  return 0;
}
