#pragma once
/// RandomResizedCrop: a window of random area and aspect ratio, resized to the model's input. The training augmentation
/// of CLIP (scale 0.9 to 1).
///
/// The caller brings the random numbers, so that a sample's crop depends on its key alone: four uniforms in [0, 1) for
/// each attempt (area, ratio, row, column), ten attempts in the reference. An attempt fails when the window is larger
/// than the image; after the last one the largest centred window of the nearest allowed ratio is taken. Reference:
/// torchvision RandomResizedCrop.get_params.
#include <array>
#include <span>

#include "couplet/image/geometry.hpp"
#include "couplet/image/resize.hpp"

namespace couplet::inline COUPLET_ABI::image {

struct RandomCropOptions {
  std::array<double, 2> scale{0.9, 1.0};              ///< area of the window over the area of the image
  std::array<double, 2> ratio{3.0 / 4.0, 4.0 / 3.0};  ///< width over height
  ResizeOptions resize = {};
};

inline constexpr std::size_t random_crop_uniforms = 40;  ///< numbers for the reference's ten attempts

namespace detail {

inline void check_random_crop(std::span<const double> uniforms, const RandomCropOptions& options) {
  const auto range = [](const char* key, const std::array<double, 2>& r, double most) {
    if (!(r[0] > 0.0 && r[0] <= r[1] && r[1] <= most))
      fail("random_crop", std::string(key) + " is not a range of positive numbers");
  };
  range("scale", options.scale, 1.0);
  range("ratio", options.ratio, 1e3);
  if (uniforms.size() % 4 != 0) fail("random_crop", "expected four uniforms for each attempt");
  for (const double u : uniforms)
    if (!(u >= 0.0 && u < 1.0)) fail("random_crop", "expected uniforms in [0, 1)");
}

/// round(sqrt(area)), halves to even, for sides far below 2^31.
inline int rounded_root(double area) noexcept { return exact::round_half_even(exact::opaque(std::sqrt(area))); }

}  // namespace detail

/// The window for these numbers. std::invalid_argument: no image, ranges that are empty, uniforms outside [0, 1).
inline Window random_crop_window(Size image, std::span<const double> uniforms, const RandomCropOptions& options = {}) {
  using exact::add, exact::div, exact::mul, exact::sub;
  checked_bytes("random_crop", image.height, image.width, 3);
  detail::check_random_crop(uniforms, options);
  const auto between = [](double low, double high, double u) { return add(low, mul(sub(high, low), u)); };
  const double low = exact::opaque(std::log(options.ratio[0])), high = exact::opaque(std::log(options.ratio[1]));
  const double pixels = mul(image.height, image.width);
  for (std::size_t i = 0; i + 4 <= uniforms.size(); i += 4) {
    const double area = mul(pixels, between(options.scale[0], options.scale[1], uniforms[i]));
    const double ratio = exact::opaque(std::exp(between(low, high, uniforms[i + 1])));
    const int width = detail::rounded_root(mul(area, ratio)), height = detail::rounded_root(div(area, ratio));
    if (width < 1 || height < 1 || width > image.width || height > image.height) continue;
    return {static_cast<int>(mul(uniforms[i + 2], image.height - height + 1)),
            static_cast<int>(mul(uniforms[i + 3], image.width - width + 1)), height, width};
  }
  int height = image.height, width = image.width;
  const double ratio = div(image.width, image.height);
  if (ratio < options.ratio[0]) height = exact::round_half_even(div(image.width, options.ratio[0]));
  if (ratio > options.ratio[1]) width = exact::round_half_even(mul(image.height, options.ratio[1]));
  height = std::clamp(height, 1, image.height);
  width = std::clamp(width, 1, image.width);
  return {(image.height - height) / 2, (image.width - width) / 2, height, width};
}

/// The window cut out and resized to `size`.
inline Image random_resized_crop(const Image& image, Size size, std::span<const double> uniforms,
                                 const RandomCropOptions& options = {}) {
  check_image("random_crop", image);
  const Window window = random_crop_window({image.height, image.width}, uniforms, options);
  return resize(crop(image, window), size.height, size.width, options.resize);
}

}  // namespace couplet::inline COUPLET_ABI::image
