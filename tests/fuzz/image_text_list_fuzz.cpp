// A CSV or TSV list of any bytes is refused with a file_error, or every row can be asked for and its picture's name
// stays text: no row, field or label reaches beyond the list.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/image_text_list_fuzz.cpp
//   TMPDIR=/dev/shm nice ./a.out -max_total_time=600 -max_len=4096 <corpus> <folder of lists>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "couplet/data/image_text_list.hpp"
#include "input_file.hpp"

namespace {

using namespace couplet;

void read(const data::ImageTextList& list) {
  const auto classes = static_cast<std::int64_t>(list.class_names().size());
  for (Index i = 0; i < list.size(); ++i) {
    const auto annotation = list.annotation(i);
    if (annotation.label && (*annotation.label < 0 || (classes > 0 && *annotation.label >= classes))) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const InputFile input(".tsv");
  try {
    read(data::ImageTextList(input.holding(data, size)));
  } catch (const file_error&) {
  }
  return 0;
}
