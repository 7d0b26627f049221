// Pictures on one thread: decoding of a 640 x 480 PNG, resize to 224 x 224 as Pillow, the whole transform of CLIP; and
// all that a loader does with a JPEG of 500 x 375.
#include <benchmark/benchmark.h>

#include <cmath>

#include "couplet/image/decode.hpp"
#include "couplet/image/encode.hpp"
#include "couplet/image/transform.hpp"

#include "../photograph.hpp"

namespace {

using namespace couplet;

/// Smooth waves with some noise: compresses about as well as a photograph.
image::Image picture() {
  image::Image one;
  one.width = 640;
  one.height = 480;
  for (int i = 0; i < one.width * one.height * 3; ++i) {
    const double x = i / 3 % one.width, y = i / 3 / one.width;
    one.pixels.push_back(
        static_cast<std::uint8_t>(127 + 90 * std::sin(x / 37 + i % 3) * std::cos(y / 23) + i * 7 % 13));
  }
  return one;
}

void decode_png(benchmark::State& state) {
  const auto file = image::encode_png(picture());
  for (auto _ : state) benchmark::DoNotOptimize(image::decode(std::string_view(file)));
  state.SetItemsProcessed(state.iterations());
}

void resize(benchmark::State& state) {
  const image::Image one = picture();
  for (auto _ : state) benchmark::DoNotOptimize(image::resize(one, 224, 224));
  state.SetItemsProcessed(state.iterations());
}

void transform(benchmark::State& state) {
  const image::Image one = picture();
  const image::Transform clip(image::clip_transform_config(224));
  std::vector<float> pixels(3 * 224 * 224);
  for (auto _ : state) clip(one, std::span<float>(pixels));
  state.SetItemsProcessed(state.iterations());
}

#if defined(COUPLET_HAVE_LIBJPEG)
void decode_jpeg(benchmark::State& state) {
  const std::string file = bench::encode_jpeg(bench::photograph(1), 90);
  for (auto _ : state) {
    image::Image one = image::decode(std::string_view(file));
    benchmark::DoNotOptimize(one.pixels.data());
    image::recycled_bytes().give(std::move(one.pixels));
  }
  state.SetItemsProcessed(state.iterations());
}

void jpeg_to_pixels(benchmark::State& state) {
  const std::string file = bench::encode_jpeg(bench::photograph(1), 90);
  const image::Transform clip(image::clip_transform_config(224));
  std::vector<float> pixels(3 * 224 * 224);
  for (auto _ : state) {
    image::Image one = image::decode(std::string_view(file));
    clip(one, std::span<float>(pixels));
    image::recycled_bytes().give(std::move(one.pixels));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_jpeg)->Name("decode_jpeg/500x375")->Unit(benchmark::kMillisecond);
BENCHMARK(jpeg_to_pixels)->Name("jpeg_to_clip/500x375")->Unit(benchmark::kMillisecond);
#endif

BENCHMARK(decode_png)->Name("decode_png/640x480")->Unit(benchmark::kMillisecond);
BENCHMARK(resize)->Name("resize_bicubic/640x480/224x224")->Unit(benchmark::kMillisecond);
BENCHMARK(transform)->Name("clip_transform/640x480")->Unit(benchmark::kMillisecond);

}  // namespace
