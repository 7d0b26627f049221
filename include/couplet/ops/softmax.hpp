#pragma once
/// Softmax over the last axis: y_c = exp(x_c - max) / sum_c exp(x_c - max).
#include <cmath>

#include "couplet/core/tensor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/softmax.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

template <class T>
void softmax_forward_row(const T* x, Index columns, T* y) {
  if constexpr (std::is_same_v<T, float>) return simd::softmax_kernels().forward(x, columns, y);
  T maximum = x[0];
  for (Index c = 1; c < columns; ++c) maximum = std::max(maximum, x[c]);
  T sum(0);
  for (Index c = 0; c < columns; ++c) sum += y[c] = std::exp(x[c] - maximum);
  for (Index c = 0; c < columns; ++c) y[c] /= sum;
}

/// dx = y (dy - sum_c y dy)
template <class T>
void softmax_backward_row(const T* y, const T* dy, Index columns, T* dx) {
  if constexpr (std::is_same_v<T, float>) return simd::softmax_kernels().backward(y, dy, columns, dx);
  T sum(0);
  for (Index c = 0; c < columns; ++c) sum += y[c] * dy[c];
  for (Index c = 0; c < columns; ++c) dx[c] = y[c] * (dy[c] - sum);
}

}  // namespace detail

/// x, y: (R, C); y may be x.
template <class T>
void softmax_forward(TensorView<const T, 2> x, TensorView<T, 2> y) {
  require_equal_shapes("softmax", "x", x, "y", y);
  if (x.empty()) return;
  parallel_row_blocks(x.extent(0), x.extent(1), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) detail::softmax_forward_row(x[r].data(), x.extent(1), y[r].data());
  });
}

/// y (the result of the forward pass), dy, dx: (R, C); dx is assigned and may be dy.
template <class T>
void softmax_backward(TensorView<const T, 2> y, TensorView<const T, 2> dy, TensorView<T, 2> dx) {
  require_equal_shapes("softmax backward", "y", y, "dy", dy);
  require_equal_shapes("softmax backward", "y", y, "dx", dx);
  parallel_row_blocks(y.extent(0), y.extent(1), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      detail::softmax_backward_row(y[r].data(), dy[r].data(), y.extent(1), dx[r].data());
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
