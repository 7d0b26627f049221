#pragma once
/// What a picture looks like, without any learning. Needs Eigen.
///
/// 16 x 16 pixels, and histograms of gradient directions in 8 x 8 cells of 8 x 8 pixels: Dalal and Triggs, "Histograms
/// of Oriented Gradients for Human Detection", CVPR 2005, with 9 unsigned directions, each cell normalised beside its
/// neighbours.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "couplet/eval/eigen.hpp"
#include "couplet/image/resize.hpp"

namespace couplet::inline COUPLET_ABI::train {

class PictureLooks {
 public:
  static constexpr int thumbnail = 16;       ///< pixels a side
  static constexpr int side = 64;            ///< of the picture whose gradients are taken
  static constexpr int cells = 8, bins = 9;  ///< cells a side, directions
  static constexpr Index pixel_count = 3 * thumbnail * thumbnail;
  static constexpr Index size = pixel_count + cells * cells * bins;

  /// (size): pixels in [0, 1], then histograms of length 1 together with their neighbours.
  static Eigen::RowVectorXd of(const image::Image& picture) {
    Eigen::RowVectorXd looks(size);
    const image::Image small = image::resize(picture, thumbnail, thumbnail);
    for (Index i = 0; i < pixel_count; ++i) looks[i] = small.pixels[static_cast<std::size_t>(i)] / 255.0;
    const Histograms histograms = gradients(image::resize(picture, side, side));
    for (int y = 0; y < cells; ++y) {
      for (int x = 0; x < cells; ++x) {
        const double length = std::sqrt(energy_around(histograms, y, x) + 1e-4);
        for (int b = 0; b < bins; ++b) {
          looks[pixel_count + (y * cells + x) * bins + b] = histograms[at(y, x)][static_cast<std::size_t>(b)] / length;
        }
      }
    }
    return looks;
  }

 private:
  using Histograms = std::array<std::array<double, bins>, cells * cells>;
  static std::size_t at(int y, int x) { return static_cast<std::size_t>(y * cells + x); }

  static double grey(const image::Image& picture, int y, int x) {
    y = std::clamp(y, 0, side - 1), x = std::clamp(x, 0, side - 1);
    const std::uint8_t* p = &picture.pixels[static_cast<std::size_t>(3 * (y * side + x))];
    return (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) / 255.0;
  }

  /// Each gradient's length goes to the two directions beside its own.
  static Histograms gradients(const image::Image& picture) {
    Histograms histograms{};
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const double dx = grey(picture, y, x + 1) - grey(picture, y, x - 1);
        const double dy = grey(picture, y + 1, x) - grey(picture, y - 1, x);
        const double turn = std::atan2(dy, dx) / std::numbers::pi;  // a direction and its opposite are one
        const double place = (turn < 0 ? turn + 1 : turn) * bins;
        const int low = static_cast<int>(place);
        const double share = place - low;
        auto& cell = histograms[at(y * cells / side, x * cells / side)];
        cell[static_cast<std::size_t>(low % bins)] += (1 - share) * std::hypot(dx, dy);
        cell[static_cast<std::size_t>((low + 1) % bins)] += share * std::hypot(dx, dy);
      }
    }
    return histograms;
  }

  static double energy_around(const Histograms& histograms, int y, int x) {
    double energy = 0;
    for (int v = std::max(0, y - 1); v <= std::min(cells - 1, y + 1); ++v) {
      for (int u = std::max(0, x - 1); u <= std::min(cells - 1, x + 1); ++u) {
        for (const double value : histograms[at(v, u)]) energy += value * value;
      }
    }
    return energy;
  }
};

}  // namespace couplet::inline COUPLET_ABI::train
