#pragma once
/// LayerScale: one learned factor per channel before a branch joins the residual stream.
///   forward   y += gamma u                                   u, y: (R, C)   gamma: (C)
///   backward  du = gamma dy,  dgamma += sum over rows of dy u
/// Touvron et al., "Going deeper with Image Transformers", 2021.
#include <algorithm>

#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

template <class T>
void check_layer_scale(const char* operation, TensorView<const T, 2> u, TensorView<const T, 1> gamma,
                       TensorView<const T, 2> y) {
  require_equal_shapes(operation, "u", u, "y", y);
  if (gamma.extent(0) != u.extent(1)) fail(operation, "shapes do not fit: " + shapes_text("u", u, "gamma", gamma));
}

}  // namespace detail

/// y += gamma u.   u, y: (R, C)   gamma: (C)
template <class T>
void layer_scale_forward(TensorView<const T, 2> u, TensorView<const T, 1> gamma, TensorView<T, 2> y) {
  detail::check_layer_scale<T>("layer_scale", u, gamma, y);
  parallel_row_blocks(u.extent(0), u.extent(1), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      for (Index c = 0; c < u.extent(1); ++c) y(r, c) += gamma[c] * u(r, c);
    }
  });
}

/// du = gamma dy, assigned; dgamma += sum over rows of dy u, rows in order.   dy, u, du: (R, C)   dgamma: (C) or empty
template <class T>
void layer_scale_backward(TensorView<const T, 2> dy, TensorView<const T, 2> u, TensorView<const T, 1> gamma,
                          TensorView<T, 2> du, TensorView<T, 1> dgamma) {
  detail::check_layer_scale<T>("layer_scale backward", u, gamma, dy);
  require_equal_shapes("layer_scale backward", "u", u, "du", du);
  const Index rows = dgamma.empty() ? 0 : u.extent(0);
  parallel_column_blocks(rows, u.extent(1), [&](Index begin, Index end) {
    for (Index first = 0; first < rows; first += rows_per_sum) {
      for (Index c = begin; c < end; ++c) {
        T sum(0);
        for (Index r = first; r < std::min(rows, first + rows_per_sum); ++r) sum += dy(r, c) * u(r, c);
        dgamma[c] += sum;
      }
    }
  });
  parallel_row_blocks(u.extent(0), u.extent(1), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      for (Index c = 0; c < u.extent(1); ++c) du(r, c) = gamma[c] * dy(r, c);
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
