#pragma once
/// JPEG files that look like photographs to a decoder: smooth noise on three scales and a sensor's, 500 x 375, quality
/// 90, some 50 KB. Needs libjpeg.
#include <algorithm>
#include <string>
#include <vector>

#include "couplet/core/random.hpp"
#include "couplet/data/tar_writer.hpp"
#include "couplet/image/jpeg_turbo.hpp"
#include "couplet/image/resize.hpp"

namespace couplet::bench {

inline image::Image photograph(std::uint64_t seed) {
  constexpr int width = 500, height = 375;
  Random random(seed);
  std::vector<double> values(std::size_t{3} * width * height);
  for (double& value : values) value = 128 + 3 * random.normal();
  const auto add = [&](int coarse_width, int coarse_height, double deviation) {
    image::Image coarse{coarse_width, coarse_height, {}};
    for (int i = 0; i < 3 * coarse_width * coarse_height; ++i) {
      coarse.pixels.push_back(static_cast<std::uint8_t>(std::clamp(128 + 40 * random.normal(), 0.0, 255.0)));
    }
    const image::Image fine = image::resize(coarse, height, width);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += deviation / 40 * (fine.pixels[i] - 128);
  };
  add(8, 6, 60);
  add(32, 24, 25);
  add(125, 94, 10);
  image::Image picture{width, height, {}};
  for (const double value : values) picture.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
  return picture;
}

#if defined(COUPLET_HAVE_LIBJPEG)
inline std::string encode_jpeg(const image::Image& picture, int quality) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&info, &memory, &bytes);
  info.image_width = static_cast<JDIMENSION>(picture.width);
  info.image_height = static_cast<JDIMENSION>(picture.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < picture.height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(picture.pixels.data()) + std::ptrdiff_t{3} * picture.width * y;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string file(reinterpret_cast<const char*>(memory), bytes);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return file;
}
#endif

/// A shard of them with these captions in turn; false where this build has no libjpeg.
inline bool write_photographs([[maybe_unused]] const std::string& shard, [[maybe_unused]] int count,
                              [[maybe_unused]] const std::vector<std::string>& captions) {
#if defined(COUPLET_HAVE_LIBJPEG)
  data::TarWriter tar(shard);
  for (int i = 0; i < count; ++i) {
    tar.add(std::to_string(i) + ".jpg", encode_jpeg(photograph(static_cast<std::uint64_t>(i)), 90));
    tar.add(std::to_string(i) + ".txt", captions[static_cast<std::size_t>(i) % captions.size()]);
  }
  tar.finish();
  return true;
#else
  return false;
#endif
}

}  // namespace couplet::bench
