#pragma once
/// An image in memory: 8-bit RGB, rows from top to bottom.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// pixels: (height, width, 3), red first, row-major, no padding between rows.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  /// (height, width), or empty: opaque. Filled only by decode() with Transparency::keep.
  std::vector<std::uint8_t> alpha = {};

  /// The file had a palette or one bit a pixel. Pillow never interpolates between such pixels, and open_clip resizes
  /// before it converts to RGB: its pipeline uses NEAREST for them. Set only by decode() with Transparency::keep.
  bool indexed = false;

  friend bool operator==(const Image&, const Image&) = default;
};

/// "(height, width)", for messages.
inline std::string shape_text(int height, int width) {
  std::string text = "(";
  text += std::to_string(height);
  text += ", ";
  text += std::to_string(width);
  text += ")";
  return text;
}

/// Number of bytes of (height, width, channels), or std::invalid_argument when a side is not positive or the product
/// exceeds 2^31 - 1 (the largest size that every routine of this room handles).
inline std::size_t checked_bytes(const char* op, int height, int width, int channels) {
  if (height < 1 || width < 1) fail(op, "height and width must be > 0, found " + shape_text(height, width));
  const std::int64_t most = std::numeric_limits<std::int32_t>::max() / channels;
  if (std::int64_t{height} * width > most)
    fail(op, "an image of " + shape_text(height, width) + " pixels is too large");
  return static_cast<std::size_t>(std::int64_t{height} * width * channels);
}

/// Throws std::invalid_argument unless the buffers have the sizes that width and height promise.
inline void check_image(const char* op, const Image& image) {
  const std::size_t bytes = checked_bytes(op, image.height, image.width, 3);
  if (image.pixels.size() != bytes || (!image.alpha.empty() && image.alpha.size() * 3 != bytes))
    fail(op, "an image of " + shape_text(image.height, image.width) + " needs " + std::to_string(bytes) +
                 " bytes of pixels, found " + std::to_string(image.pixels.size()) + " (and " +
                 std::to_string(image.alpha.size()) + " of alpha)");
}

/// Pillow's MULDIV255: round(a * b / 255) for a, b in [0, 255].
constexpr int multiply_255(int a, int b) noexcept {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

/// The image without transparency, composited on white by the integers of transformers' convert_to_rgb:
///   t = c a 128 + 255 (255 - a) 128 + 2^14,  out = ((t >> 8) + t) >> 8 >> 7,  and 255 where a = 0.
inline Image on_white(Image image) {
  check_image("on_white", image);
  for (std::size_t i = 0; i < image.alpha.size(); ++i) {
    const int a = image.alpha[i];
    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c) {
      const int t = image.pixels[c] * a * 128 + 255 * (255 - a) * 128 + (128 << 7);
      image.pixels[c] = static_cast<std::uint8_t>(a == 0 ? 255 : (((t >> 8) + t) >> 8) >> 7);
    }
  }
  image.alpha.clear();
  return image;
}

}  // namespace couplet::inline COUPLET_ABI::image
