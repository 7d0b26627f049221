#pragma once
/// Resizes a table of position embeddings from one grid of patches to another, as torch.nn.functional.interpolate with
/// align_corners=False does (ATen, UpSample.h and UpSampleKernel.cpp): separable filters over the rows and columns of
/// the grid.
///
///   bicubic     Keys' cubic with a = -3/4 at the 4 nearest positions; the border is repeated
///   antialias   the filter widens with the scale when the grid shrinks, its weights add up to 1 at the border too;
///               here torch's cubic has a = -1/2
#include <algorithm>
#include <cmath>
#include <vector>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::nn {

enum class PositionFilter {
  bicubic,             ///< transformers' interpolate_pos_encoding
  bicubic_antialias,   ///< open_clip's resize_pos_embed, on loading
  bilinear_antialias,  ///< SigLIP 2 NaFlex
};

namespace detail {

/// Which positions of one axis a new position is made of.
struct AxisWeights {
  std::vector<Index> indices;
  std::vector<double> weights;
};

/// Keys' cubic convolution kernel, |t| < 2.
inline double cubic(double t, double a) {
  t = std::abs(t);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? a * (((t - 5) * t + 8) * t - 4) : 0.0;
}

inline AxisWeights bicubic_weights(Index from, Index to, Index i) {
  const double center = static_cast<double>(from) / static_cast<double>(to) * (static_cast<double>(i) + 0.5) - 0.5;
  const double base = std::floor(center);
  AxisWeights axis;
  for (int k = -1; k <= 2; ++k) {
    axis.indices.push_back(std::clamp<Index>(static_cast<Index>(base) + k, 0, from - 1));
    axis.weights.push_back(cubic(center - base - k, -0.75));
  }
  return axis;
}

inline AxisWeights antialias_weights(Index from, Index to, Index i, bool is_cubic) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = (is_cubic ? 2.0 : 1.0) * stretch;
  const double center = scale * (static_cast<double>(i) + 0.5);
  const Index first = std::max<Index>(0, static_cast<Index>(center - support + 0.5));
  const Index last = std::min(from, static_cast<Index>(center + support + 0.5));
  AxisWeights axis;
  double sum = 0;
  for (Index j = first; j < last; ++j) {
    const double t = (static_cast<double>(j) - center + 0.5) / stretch;
    const double weight = is_cubic ? cubic(t, -0.5) : std::max(0.0, 1.0 - std::abs(t));
    axis.indices.push_back(j);
    axis.weights.push_back(weight);
    sum += weight;
  }
  for (double& weight : axis.weights) weight /= sum;
  return axis;
}

}  // namespace detail

/// Rows and columns of patches.
struct Grid {
  Index height = 0;
  Index width = 0;
  [[nodiscard]] Index size() const { return height * width; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

/// The weights of one resize, ready for several tables. Sums are in double.
class PositionResize {
 public:
  PositionResize(Grid from, Grid to, PositionFilter filter) : from_(from), to_(to) {
    const auto axis = [filter](Index n, Index m) {
      std::vector<detail::AxisWeights> weights;
      for (Index i = 0; i < m; ++i) {
        weights.push_back(filter == PositionFilter::bicubic
                              ? detail::bicubic_weights(n, m, i)
                              : detail::antialias_weights(n, m, i, filter == PositionFilter::bicubic_antialias));
      }
      return weights;
    };
    rows_ = axis(from.height, to.height);
    columns_ = axis(from.width, to.width);
  }

  /// table: (from.size(), C)   y: (to.size(), C), assigned; both in row-major order of the grid.
  template <class T>
  void forward(TensorView<const T, 2> table, TensorView<T, 2> y) const {
    check(table, y);
    std::vector<double> sum(static_cast<std::size_t>(table.extent(1)));
    for (Index i = 0; i < to_.size(); ++i) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for_each_source(i, [&](Index source, double weight) {
        for (std::size_t c = 0; c < sum.size(); ++c) {
          sum[c] += weight * static_cast<double>(table(source, static_cast<Index>(c)));
        }
      });
      for (std::size_t c = 0; c < sum.size(); ++c) y(i, static_cast<Index>(c)) = static_cast<T>(sum[c]);
    }
  }

  /// dtable += the transposed resize of dy.   dy: (to.size(), C)   dtable: (from.size(), C)
  template <class T>
  void backward(TensorView<const T, 2> dy, TensorView<T, 2> dtable) const {
    check(dtable, dy);
    for (Index i = 0; i < to_.size(); ++i) {
      for_each_source(i, [&](Index source, double weight) {
        for (Index c = 0; c < dy.extent(1); ++c) dtable(source, c) += static_cast<T>(weight) * dy(i, c);
      });
    }
  }

 private:
  template <class A, class B>
  void check(const A& table, const B& y) const {
    if (table.extent(0) != from_.size() || y.extent(0) != to_.size() || table.extent(1) != y.extent(1)) {
      fail("position_resize", "table " + to_string(table.shape()) + " and " + to_string(y.shape()) +
                                  " are not of grids " + to_string(Shape{from_.height, from_.width}) + " and " +
                                  to_string(Shape{to_.height, to_.width}));
    }
  }

  template <class F>
  void for_each_source(Index i, F&& f) const {
    const detail::AxisWeights& row = rows_[static_cast<std::size_t>(i / to_.width)];
    const detail::AxisWeights& column = columns_[static_cast<std::size_t>(i % to_.width)];
    for (std::size_t r = 0; r < row.indices.size(); ++r) {
      for (std::size_t c = 0; c < column.indices.size(); ++c) {
        f(row.indices[r] * from_.width + column.indices[c], row.weights[r] * column.weights[c]);
      }
    }
  }

  Grid from_, to_;
  std::vector<detail::AxisWeights> rows_, columns_;
};

}  // namespace couplet::inline COUPLET_ABI::nn
