// A configuration of any bytes is refused with a file_error, or is valid: read as config.json, open_clip_config.json
// and preprocessor_config.json.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/model_config_fuzz.cpp
//   TMPDIR=/dev/shm nice ./a.out -max_total_time=600 -max_len=4096 <corpus> <folder of configurations>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "attempt.hpp"
#include "couplet/image/preprocessor_config.hpp"
#include "couplet/pretrained/hugging_face_config.hpp"
#include "couplet/pretrained/open_clip_config.hpp"
#include "input_file.hpp"

namespace {

using namespace couplet;

const checkpoint::Checkpoint& no_tensors() {
  static const InputFile file(".safetensors");
  static const checkpoint::Checkpoint empty = [] {
    static constexpr std::uint8_t bytes[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    return checkpoint::Checkpoint(checkpoint::SafetensorsFile(file.holding(bytes, sizeof bytes)));
  }();
  return empty;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  attempt([&] { validate(pretrained::parse_hugging_face_config(text, "fuzz")); });
  attempt([&] { validate(pretrained::parse_open_clip_model(text, "fuzz", no_tensors()).config); });
  attempt([&] {
    const io::JsonField root(io::Json::parse(text, "fuzz"), "fuzz");
    attempt([&] { image::parse_preprocessor_config(root, std::nullopt); });
    attempt([&] { image::parse_open_clip_config(root); });
  });
  return 0;
}
