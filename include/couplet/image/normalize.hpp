#pragma once
/// Rescale and normalise: 8-bit samples to float32, as a table of 256 values for each channel.
///
/// Three references, three orders of float32 operations (they differ by up to 2.4e-7):
///   transformers, PIL:          x = float32(double(u8) * rescale_factor);  (x - mean) / std
///   transformers, torchvision:  m = mean * float32(1 / rescale_factor), s = std * the same;  (u8 - m) / s
///   open_clip:                  (u8 / 255 - mean) / std
/// A table holds every value that can occur, so the bits depend on no compiler flag and no vector width.
#include <array>
#include <cstddef>
#include <span>

#include "couplet/image/transform_config.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// values[c][u8] for channel c.
using NormalizeTable = std::array<std::array<float, 256>, 3>;

namespace detail {

inline float normalized(int u8, double mean, double std, const TransformConfig& config) noexcept {
  using namespace exact;
  const auto value = static_cast<float>(u8);
  float m = to_float(mean), s = to_float(std);
  if (config.pipeline == Pipeline::open_clip) return div_float(sub_float(div_float(value, 255.0f), m), s);
  if (config.pipeline == Pipeline::transformers_torchvision) {
    if (!config.do_normalize) return config.do_rescale ? mul_float(value, to_float(config.rescale_factor)) : value;
    if (config.do_rescale) {
      const float inverse = to_float(div(1.0, config.rescale_factor));
      m = mul_float(m, inverse);
      s = mul_float(s, inverse);
    }
    return div_float(sub_float(value, m), s);
  }
  const float x = config.do_rescale ? to_float(mul(u8, config.rescale_factor)) : value;
  return config.do_normalize ? div_float(sub_float(x, m), s) : x;
}

}  // namespace detail

inline NormalizeTable normalize_table(const TransformConfig& config) {
  NormalizeTable table;
  for (std::size_t c = 0; c < 3; ++c)
    for (int u8 = 0; u8 < 256; ++u8)
      table[c][static_cast<std::size_t>(u8)] =
          detail::normalized(u8, config.image_mean[c], config.image_std[c], config);
  return table;
}

/// pixels (H, W, 3) to out (3, H, W). Both hold 3 H W values.
inline void normalize(std::span<const std::uint8_t> pixels, const NormalizeTable& table, float* out) noexcept {
  const std::size_t plane = pixels.size() / 3;
  for (std::size_t i = 0; i < plane; ++i)
    for (std::size_t c = 0; c < 3; ++c) out[c * plane + i] = table[c][pixels[3 * i + c]];
}

}  // namespace couplet::inline COUPLET_ABI::image
