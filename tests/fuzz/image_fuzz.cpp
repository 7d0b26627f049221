// A PNG or JPEG of any bytes is refused with a file_error, or decodes to as many bytes as its size says: with libjpeg
// where it is compiled in (-DCOUPLET_HAVE_LIBJPEG=1 ... -ljpeg), and with stb.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/image_fuzz.cpp
//   nice ./a.out -max_total_time=600 -max_len=4096 <corpus> <folder of pictures>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "attempt.hpp"
#include "couplet/image/decode.hpp"

namespace {

using namespace couplet;

constexpr image::DecodeLimits limits{.side = 512, .pixels = 65536, .file_bytes = 1U << 20U};

void check(const image::Image& picture) {
  const auto pixels = static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height);
  if (picture.width < 1 || picture.height < 1 || picture.width > limits.side || picture.height > limits.side ||
      picture.pixels.size() != 3 * pixels || (!picture.alpha.empty() && picture.alpha.size() != pixels)) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> file(data, size);
  for (const auto transparency : {image::Transparency::white, image::Transparency::keep, image::Transparency::drop}) {
    attempt([&] {
      check(image::decode(file, {.transparency = transparency, .apply_exif_orientation = true, .limits = limits}));
    });
  }
  attempt([&] { check(image::detail::decode_jpeg_stb(file, image::check_jpeg(file, limits, "fuzz"), "fuzz")); });
  return 0;
}
