#pragma once
/// The angles of rotary positions on a grid of patches, as EVA02 has them.
///   the first half of a head's D / 2 pairs: y 16 / h w_j,  the second: x 16 / w w_j,  w_j = 10000^(-4 j / D)
/// for the patch (y, x) of a grid (h, w): whatever its size, its sides are 16 long. The class token in front does not
/// turn. Fang et al., "EVA-02", arXiv:2303.11331; timm's RotaryEmbeddingCat with ref_feat_shape (16, 16).
#include <algorithm>
#include <cmath>

#include "couplet/nn/position_resize.hpp"
#include "couplet/ops/rotary.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class RotaryPositions {
 public:
  /// head_width: D, a multiple of 4.
  RotaryPositions(Grid grid, Index head_width)
      : cosines_({1 + grid.size(), head_width / 2}), sines_({1 + grid.size(), head_width / 2}) {
    if (head_width % 4 != 0) {
      fail("rotary", "the width of a head, " + std::to_string(head_width) + ", is not a multiple of 4");
    }
    const Index bands = head_width / 4;
    std::fill_n(cosines_.data(), head_width / 2, T(1));
    for (Index p = 0; p < grid.size(); ++p) {
      const double y = 16.0 * static_cast<double>(p / grid.width) / static_cast<double>(grid.height);
      const double x = 16.0 * static_cast<double>(p % grid.width) / static_cast<double>(grid.width);
      for (Index j = 0; j < 2 * bands; ++j) {
        const double band = std::pow(10000.0, -static_cast<double>(j % bands) / static_cast<double>(bands));
        const double angle = (j < bands ? y : x) * band;
        cosines_(1 + p, j) = static_cast<T>(std::cos(angle));
        sines_(1 + p, j) = static_cast<T>(std::sin(angle));
      }
    }
  }

  [[nodiscard]] ops::RotaryAngles<T> angles() const { return {cosines_, sines_}; }

 private:
  Tensor<T, 2> cosines_, sines_;  // (1 + h w, D / 2)
};

}  // namespace couplet::inline COUPLET_ABI::nn
