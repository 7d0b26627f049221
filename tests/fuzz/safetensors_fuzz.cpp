// A safetensors file of any bytes is refused with a file_error, or every tensor lies inside the file and can be read.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/safetensors_fuzz.cpp
//   TMPDIR=/dev/shm nice ./a.out -max_total_time=600 -max_len=4096 <corpus> <folder of .safetensors files>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "couplet/checkpoint/safetensors.hpp"
#include "input_file.hpp"

namespace {

using namespace couplet;

void read_all(const checkpoint::SafetensorsFile& file, std::size_t size) {
  for (const checkpoint::TensorInfo& tensor : file.tensors()) {
    if (tensor.begin > tensor.end || tensor.end > file.data_bytes() || file.data_bytes() > size) std::abort();
    if (file.find(tensor.name) != &tensor) std::abort();
    try {
      static_cast<void>(file.read<float>(tensor));
    } catch (const file_error&) {  // of a type that is no number of ours
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const InputFile input(".safetensors");
  try {
    read_all(checkpoint::SafetensorsFile(input.holding(data, size)), size);
  } catch (const file_error&) {
  }
  return 0;
}
