#pragma once
/// The orientation of a photograph, from EXIF (tag 0x0112), and turning the image upright.
///
/// Metadata is treated leniently: whatever cannot be parsed means orientation 1. Reference: Exif 2.3, 4.6.4; Pillow's
/// ImageOps.exif_transpose.
#include "couplet/image/guard.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// Orientation 1 to 8 of a TIFF block (what follows "Exif\0\0" in a JPEG, or a PNG's eXIf chunk); 1 if there is none.
inline int exif_orientation(Bytes tiff) noexcept {
  const bool little = holds(tiff, 0, std::string_view("II*\0", 4));
  if (!little && !holds(tiff, 0, std::string_view("MM\0*", 4))) return 1;
  const auto number16 = [&](std::size_t at) -> std::uint32_t {
    return little ? tiff[at] | std::uint32_t{tiff[at + 1]} << 8 : big16(tiff, at);
  };
  const auto number32 = [&](std::size_t at) -> std::uint32_t {
    return little ? number16(at) | number16(at + 2) << 16 : big32(tiff, at);
  };
  if (tiff.size() < 8) return 1;
  const std::size_t directory = number32(4);
  if (directory > tiff.size() || tiff.size() - directory < 2) return 1;
  const std::uint32_t entries = number16(directory);
  for (std::uint32_t i = 0; i < entries; ++i) {  // tag (2), type (2), count (4), value (4)
    const std::size_t at = directory + 2 + 12 * std::size_t{i};
    if (tiff.size() < 12 || at > tiff.size() - 12) return 1;
    if (number16(at) != 0x0112) continue;
    const std::uint32_t value = number16(at + 2) == 3 ? number16(at + 8) : 0;  // type SHORT
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

/// The image as it was meant to be seen. Orientations: 2 mirrored, 3 turned by 180 degrees, 4 upside down, 5
/// transposed, 6 to be turned clockwise, 7 transverse, 8 to be turned counter-clockwise.
inline Image upright(const Image& image, int orientation) {
  check_image("upright", image);
  if (orientation <= 1 || orientation > 8) return image;
  const bool swapped = orientation >= 5;
  Image out{swapped ? image.height : image.width, swapped ? image.width : image.height, {}, {}, image.indexed};
  out.pixels.resize(image.pixels.size());
  out.alpha.resize(image.alpha.size());
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) {
      const int across = swapped ? y : x, down = swapped ? x : y;  // in the source
      const int from_x = mirror_x ? image.width - 1 - across : across;
      const int from_y = mirror_y ? image.height - 1 - down : down;
      const auto from = static_cast<std::size_t>(std::ptrdiff_t{from_y} * image.width + from_x);
      const auto to = static_cast<std::size_t>(std::ptrdiff_t{y} * out.width + x);
      for (std::size_t c = 0; c < 3; ++c) out.pixels[3 * to + c] = image.pixels[3 * from + c];
      if (!image.alpha.empty()) out.alpha[to] = image.alpha[from];
    }
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::image
