#pragma once
/// A picture of 64 x 64 pixels with black and white stripes, four pixels wide.
#include <cstdint>
#include <vector>

#include "couplet/image/image.hpp"

namespace couplet::test {

inline image::Image stripes(bool upright) {
  image::Image picture{64, 64, std::vector<std::uint8_t>(3 * 64 * 64)};
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 3; ++c) {
        picture.pixels[static_cast<std::size_t>(3 * (64 * y + x) + c)] = (upright ? x : y) / 4 % 2 == 0 ? 0 : 255;
      }
    }
  }
  return picture;
}

}  // namespace couplet::test
