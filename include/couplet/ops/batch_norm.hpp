#pragma once
/// Batch normalisation over the rows of a matrix, per column (channel), as torch.nn.BatchNorm2d over rows of pixels.
///   y = (x - mean) rstd gamma + beta,      rstd = 1 / sqrt(var + eps)
/// with mean and (biased) variance of the batch while training, or running ones when they are frozen.
///
///   backward      xhat = (x - mean) rstd,   dbeta += sum dy,   dgamma += sum dy xhat        sums over all R rows
///     of a batch  dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat))
///     frozen      dx = gamma rstd dy
/// Ioffe and Szegedy, "Batch Normalization", 2015. Sums over rows go 256 rows at a time, in order, and those partial
/// sums are added in double; threads share out the columns.
#include <algorithm>
#include <array>
#include <cmath>

#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

/// sums[c] = sum over the rows r of term(r, c).   term: (Index r, Index c) -> T   finish: (Index c, double sum)
template <class T, class Term, class Finish>
void sum_columns(Index rows, Index columns, Term&& term, Finish&& finish) {
  constexpr Index width = 64;
  parallel_column_blocks(rows, columns, [&](Index begin, Index end) {
    for (Index first = begin; first < end; first += width) {
      const Index count = std::min(end - first, width);
      std::array<double, width> total{};
      for (Index row = 0; row < rows; row += rows_per_sum) {
        std::array<T, width> sums{};
        for (Index r = row; r < std::min(rows, row + rows_per_sum); ++r) {
          for (Index c = 0; c < count; ++c) sums[static_cast<std::size_t>(c)] += term(r, first + c);
        }
        for (std::size_t c = 0; c < width; ++c) total[c] += static_cast<double>(sums[c]);
      }
      for (Index c = 0; c < count; ++c) finish(first + c, total[static_cast<std::size_t>(c)]);
    }
  });
}

template <class T>
T reciprocal_root(T variance, double eps) {
  return static_cast<T>(1.0 / std::sqrt(static_cast<double>(variance) + eps));
}

}  // namespace detail

/// Mean and biased variance of every column.   x: (R, C), R > 0   mean, variance: (C)
template <class T>
void batch_norm_statistics(TensorView<const T, 2> x, TensorView<T, 1> mean, TensorView<T, 1> variance) {
  const Index rows = x.extent(0);
  if (rows == 0 || mean.extent(0) != x.extent(1) || variance.extent(0) != x.extent(1)) {
    fail("batch_norm", "shapes do not fit: " + shapes_text("x", x, "mean", mean, "variance", variance));
  }
  const auto n = static_cast<double>(rows);
  detail::sum_columns<T>(
      rows, x.extent(1), [&](Index r, Index c) { return x(r, c); },
      [&](Index c, double sum) { mean[c] = static_cast<T>(sum / n); });
  detail::sum_columns<T>(
      rows, x.extent(1), [&](Index r, Index c) { return (x(r, c) - mean[c]) * (x(r, c) - mean[c]); },
      [&](Index c, double sum) { variance[c] = static_cast<T>(sum / n); });
}

/// y = (x - mean) / sqrt(variance + eps) gamma + beta.   x, y: (R, C); y may be x   others: (C)
template <class T>
void batch_norm_forward(TensorView<const T, 2> x, TensorView<const T, 1> mean, TensorView<const T, 1> variance,
                        double eps, TensorView<const T, 1> gamma, TensorView<const T, 1> beta, TensorView<T, 2> y,
                        Workspace& workspace) {
  require_equal_shapes("batch_norm", "x", x, "y", y);
  if (mean.extent(0) != x.extent(1) || gamma.extent(0) != x.extent(1)) {
    fail("batch_norm", "shapes do not fit: " + shapes_text("x", x, "mean", mean, "gamma", gamma));
  }
  const Workspace::Scope scope(workspace);
  const Index columns = x.extent(1);
  T* const scale = workspace.take<T>(columns);
  for (Index c = 0; c < columns; ++c) scale[c] = gamma[c] * detail::reciprocal_root(variance[c], eps);
  parallel_row_blocks(x.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* from = x[r].data();
      T* to = y[r].data();
      for (Index c = 0; c < columns; ++c) to[c] = (from[c] - mean[c]) * scale[c] + beta[c];
    }
  });
}

/// dx, assigned; dgamma and dbeta are added to, or empty when nobody asks for them. `frozen`: mean and variance do not
/// depend on x.   dy, x, dx: (R, C); dx may be dy   others: (C)
template <class T>
void batch_norm_backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<const T, 1> mean,
                         TensorView<const T, 1> variance, double eps, TensorView<const T, 1> gamma, bool frozen,
                         TensorView<T, 2> dx, TensorView<T, 1> dgamma, TensorView<T, 1> dbeta, Workspace& workspace) {
  require_equal_shapes("batch_norm backward", "x", x, "dy", dy);
  require_equal_shapes("batch_norm backward", "x", x, "dx", dx);
  const Workspace::Scope scope(workspace);
  const Index columns = x.extent(1);
  const auto n = static_cast<double>(x.extent(0));
  T* const rstd = workspace.take<T>(columns);
  T* const scale = workspace.take<T>(columns);
  T* const mean_dy = workspace.take<T>(columns);
  T* const mean_dy_xhat = workspace.take<T>(columns);
  for (Index c = 0; c < columns; ++c) {
    rstd[c] = detail::reciprocal_root(variance[c], eps);
    scale[c] = gamma[c] * rstd[c];
  }
  detail::sum_columns<T>(
      x.extent(0), columns, [&](Index r, Index c) { return dy(r, c); },
      [&](Index c, double sum) {
        mean_dy[c] = frozen ? T(0) : static_cast<T>(sum / n);
        if (!dbeta.empty()) dbeta[c] += static_cast<T>(sum);
      });
  detail::sum_columns<T>(
      x.extent(0), columns, [&](Index r, Index c) { return dy(r, c) * ((x(r, c) - mean[c]) * rstd[c]); },
      [&](Index c, double sum) {
        mean_dy_xhat[c] = frozen ? T(0) : static_cast<T>(sum / n);
        if (!dgamma.empty()) dgamma[c] += static_cast<T>(sum);
      });
  parallel_row_blocks(x.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* from = x[r].data();
      const T* gradient = dy[r].data();
      T* to = dx[r].data();
      for (Index c = 0; c < columns; ++c) {
        const T xhat = (from[c] - mean[c]) * rstd[c];
        to[c] = scale[c] * (gradient[c] - mean_dy[c] - xhat * mean_dy_xhat[c]);
      }
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
