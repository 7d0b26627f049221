#pragma once
/// Random rotations, shifts, changes of size and shears, as torchvision's RandomAffine.
///
/// A pixel q of the result shows the point p of the picture with  q - c - t = s R(angle, shear) (p - c),  c the centre:
///   R = [ cos(a - y) / cos y,  -cos(a - y) tan x / cos y - sin a ;
///         sin(a - y) / cos y,  -sin(a - y) tan x / cos y + cos a ]     angle a, shears x and y
/// (https://pytorch.org/vision/stable, transforms.RandomAffine). Points are interpolated bilinearly; outside of the
/// picture its nearest edge goes on, so that a drawing on white stays on white.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "couplet/core/random.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// Every field is the end of a range around no change, from which is drawn evenly.
struct RandomAffine {
  double degrees = 0;    ///< of the rotation, [0, 180]
  double translate = 0;  ///< share of each side, [0, 1]
  double scale = 0;      ///< sizes are drawn from [1 - scale, 1 + scale]; less than 1
  double shear = 0;      ///< degrees, along both axes, less than 90

  [[nodiscard]] bool any() const { return degrees > 0 || translate > 0 || scale > 0 || shear > 0; }
  /// Throws std::invalid_argument when a field is out of range.
  void validate() const {
    const auto in = [](double value, double most) { return value >= 0 && value <= most; };
    if (!in(degrees, 180) || !in(translate, 1) || !in(scale, 0.99) || !in(shear, 80)) {
      fail("random_affine", "expected degrees in [0, 180], translate in [0, 1], scale in [0, 0.99], shear in [0, 80]");
    }
  }
};

/// A map of the plane: where (x, y) of the result, from its centre, comes from.
struct AffineMap {
  double xx = 1, xy = 0, yx = 0, yy = 1;  ///< x' = xx x + xy y, y' = yx x + yy y
  double shift_x = 0, shift_y = 0;        ///< subtracted from the result's (x, y) before
};

/// The inverse of shift, size, rotation and shears. Angles in degrees, shifts in pixels.
inline AffineMap inverse_affine(double angle, double shift_x, double shift_y, double scale, double shear_x,
                                double shear_y) {
  constexpr double radian = std::numbers::pi / 180;
  const double a = angle * radian, x = shear_x * radian, y = shear_y * radian;
  const double r00 = std::cos(a - y) / std::cos(y), r01 = -std::cos(a - y) * std::tan(x) / std::cos(y) - std::sin(a);
  const double r10 = std::sin(a - y) / std::cos(y), r11 = -std::sin(a - y) * std::tan(x) / std::cos(y) + std::cos(a);
  // The determinant of R is 1.
  return {r11 / scale, -r01 / scale, -r10 / scale, r00 / scale, shift_x, shift_y};
}

/// The picture seen through `map`; the same size.
inline image::Image warp(const image::Image& from, const AffineMap& map) {
  image::check_image("warp", from);
  image::Image to{.width = from.width, .height = from.height, .pixels = {}};
  to.pixels.resize(from.pixels.size());
  const double center_x = 0.5 * (from.width - 1), center_y = 0.5 * (from.height - 1);
  std::size_t out = 0;
  for (int row = 0; row < to.height; ++row) {
    for (int column = 0; column < to.width; ++column) {
      const double dx = column - center_x - map.shift_x, dy = row - center_y - map.shift_y;
      const double x = std::clamp(map.xx * dx + map.xy * dy + center_x, 0.0, static_cast<double>(from.width - 1));
      const double y = std::clamp(map.yx * dx + map.yy * dy + center_y, 0.0, static_cast<double>(from.height - 1));
      const int left = static_cast<int>(x), top = static_cast<int>(y);
      const int right = std::min(left + 1, from.width - 1), bottom = std::min(top + 1, from.height - 1);
      const auto at = [&](int py, int px) {
        return from.pixels.data() +
               3 * (static_cast<std::size_t>(py) * static_cast<std::size_t>(from.width) + static_cast<std::size_t>(px));
      };
      const std::array corners{at(top, left), at(top, right), at(bottom, left), at(bottom, right)};
      const double u = x - left, v = y - top;
      for (std::size_t c = 0; c < 3; ++c) {
        const double value =
            (1 - v) * ((1 - u) * corners[0][c] + u * corners[1][c]) + v * ((1 - u) * corners[2][c] + u * corners[3][c]);
        to.pixels[out++] = static_cast<std::uint8_t>(value + 0.5);
      }
    }
  }
  return to;
}

/// Changes `image` by draws from `random`, always the same number of them.
inline void random_affine(image::Image& image, const RandomAffine& affine, Random random) {
  const auto draw = [&](double most) { return random.uniform(-most, most); };
  const double angle = draw(affine.degrees);
  const double shift_x = draw(affine.translate) * image.width, shift_y = draw(affine.translate) * image.height;
  const double scale = 1 + draw(affine.scale);
  const double shear_x = draw(affine.shear), shear_y = draw(affine.shear);
  if (affine.any()) image = warp(image, inverse_affine(angle, shift_x, shift_y, scale, shear_x, shear_y));
}

}  // namespace couplet::inline COUPLET_ABI::data
