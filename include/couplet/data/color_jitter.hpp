#pragma once
/// Random changes of colour, as torchvision's ColorJitter and RandomGrayscale and open_clip's `color_jitter`,
/// `color_jitter_prob` and `gray_scale_prob`:
///
///   brightness   p f                                     contrast   f p + (1 - f) mean of the grey picture
///   saturation   f p + (1 - f) grey of the pixel         hue        turned by a share of the circle
///
/// in random order, with p in [0, 255] and grey = 0.299 r + 0.587 g + 0.114 b; values are clamped after each change and
/// rounded once at the end (Pillow rounds after each).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "couplet/core/random.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct ColorJitter {
  double brightness = 0, contrast = 0, saturation = 0;  ///< factors are drawn from [max(0, 1 - x), 1 + x]
  double hue = 0;                                       ///< turns are drawn from [-hue, hue]; at most 0.5
  double probability = 1;                               ///< of the four changes together
  double gray_probability = 0;                          ///< of a grey picture

  [[nodiscard]] bool any() const {
    const bool changes = brightness > 0 || contrast > 0 || saturation > 0 || hue > 0;
    return (changes && probability > 0) || gray_probability > 0;
  }
  /// Throws std::invalid_argument when a field is out of range.
  void validate() const {
    const auto in = [](double value, double most) { return value >= 0 && value <= most; };
    if (!in(brightness, 10) || !in(contrast, 10) || !in(saturation, 10) || !in(hue, 0.5) || !in(probability, 1) ||
        !in(gray_probability, 1)) {
      fail("color_jitter",
           "expected brightness, contrast, saturation in [0, 10], hue in [0, 0.5], probabilities in [0, 1]");
    }
  }
};

namespace detail {

inline double gray_of(const double* p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

/// p <- factor p + (1 - factor) other(p), clamped, for all three channels of every pixel.
template <class Other>
void blend(std::vector<double>& pixels, double factor, Other&& other) {
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    const double towards = (1 - factor) * other(&pixels[i]);
    for (std::size_t c = i; c < i + 3; ++c) pixels[c] = std::clamp(factor * pixels[c] + towards, 0.0, 255.0);
  }
}

/// Turns the hue of one pixel by `turn` of the circle, at constant value and saturation (the HSV hexagon).
inline void turn_hue(double* p, double turn) {
  const double high = std::max({p[0], p[1], p[2]}), low = std::min({p[0], p[1], p[2]}), range = high - low;
  if (range <= 0) return;
  double hue = high == p[0]   ? (p[1] - p[2]) / range
               : high == p[1] ? 2 + (p[2] - p[0]) / range
                              : 4 + (p[0] - p[1]) / range;  // sixths of the circle
  hue += 6 * turn;
  for (int c = 0; c < 3; ++c) {
    double away = std::fmod(hue - 2 * c + 12, 6.0);  // from the channel's own hue, around the circle
    away = std::min(away, 6 - away);
    p[c] = low + range * std::clamp(2 - away, 0.0, 1.0);
  }
}

}  // namespace detail

/// Changes `image` by draws from `random`, always the same number of them.
inline void color_jitter(image::Image& image, const ColorJitter& jitter, Random random) {
  const bool changes = random.uniform() < jitter.probability;
  const bool gray = random.uniform() < jitter.gray_probability;
  const auto factor = [&](double x) { return random.uniform(std::max(0.0, 1 - x), 1 + x); };
  const double brightness = factor(jitter.brightness), contrast = factor(jitter.contrast);
  const double saturation = factor(jitter.saturation), turn = random.uniform(-jitter.hue, jitter.hue);
  std::array<int, 4> order{0, 1, 2, 3};
  for (std::size_t i = 4; i > 1; --i) std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(i))]);
  if (!changes && !gray) return;

  std::vector<double> pixels(image.pixels.begin(), image.pixels.end());
  for (const int step : order) {
    if (!changes) break;
    if (step == 0 && jitter.brightness > 0) detail::blend(pixels, brightness, [](const double*) { return 0.0; });
    if (step == 1 && jitter.contrast > 0) {
      double sum = 0;
      for (std::size_t i = 0; i < pixels.size(); i += 3) sum += detail::gray_of(&pixels[i]);
      const double mean = sum / (static_cast<double>(pixels.size()) / 3);
      detail::blend(pixels, contrast, [mean](const double*) { return mean; });
    }
    if (step == 2 && jitter.saturation > 0) detail::blend(pixels, saturation, detail::gray_of);
    if (step == 3 && jitter.hue > 0) {
      for (std::size_t i = 0; i < pixels.size(); i += 3) detail::turn_hue(&pixels[i], turn);
    }
  }
  if (gray) detail::blend(pixels, 0, detail::gray_of);
  for (std::size_t i = 0; i < pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(pixels[i] + 0.5);
}

}  // namespace couplet::inline COUPLET_ABI::data
