#pragma once
/// Unit length per row:  y = x / norm,   norm = max(|x|, eps)   (PyTorch's F.normalize).
#include <cmath>

#include "couplet/core/tensor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

/// x . y, added in double or better, so that neither 1e-30 nor 1e30 is lost in float.
template <class T>
std::common_type_t<T, double> wide_dot(TensorView<const T, 1> x, TensorView<const T, 1> y) {
  if constexpr (std::is_same_v<T, float>) return simd::reduce_kernels().dot(x.data(), y.data(), x.extent(0));
  std::common_type_t<T, double> sum = 0;
  for (Index c = 0; c < x.extent(0); ++c) sum += x[c] * y[c];
  return sum;
}

/// out = (x - factor y) / divisor; out may be x or y.
template <class T>
void subtract_and_divide(TensorView<const T, 1> x, T factor, TensorView<const T, 1> y, T divisor,
                         TensorView<T, 1> out) {
  if constexpr (std::is_same_v<T, float>) {
    simd::reduce_kernels().subtract_and_divide(x.data(), factor, y.data(), divisor, x.extent(0), out.data());
  } else {
    for (Index c = 0; c < x.extent(0); ++c) out[c] = (x[c] - factor * y[c]) / divisor;
  }
}

}  // namespace detail

/// x, y: (N, C); y may be x.   norms: (N), the divisors, saved for the backward pass; an empty view when there is none.
template <class T>
void l2_normalize_forward(TensorView<const T, 2> x, TensorView<T, 2> y, TensorView<T, 1> norms, T eps = T(1e-12)) {
  require_equal_shapes("l2_normalize", "x", x, "y", y);
  if (!norms.empty() && norms.extent(0) != x.extent(0)) {
    fail("l2_normalize", "one norm per row: " + shapes_text("x", x, "norms", norms));
  }
  parallel_row_blocks(x.extent(0), x.extent(1), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T norm = std::max(static_cast<T>(std::sqrt(detail::wide_dot(x[r], x[r]))), eps);
      detail::subtract_and_divide(x[r], T(0), x[r], norm, y[r]);
      if (!norms.empty()) norms[r] = norm;
    }
  });
}

/// dx = (dy - y (y . dy)) / norm, and dy / norm in a row where eps took the place of the length: there |y| < 1.
/// y (the result of the forward pass), dy, dx: (N, C)   norms: (N)   dx is assigned and may be dy.
template <class T>
void l2_normalize_backward(TensorView<const T, 2> dy, TensorView<const T, 2> y, TensorView<const T, 1> norms,
                           TensorView<T, 2> dx) {
  require_equal_shapes("l2_normalize backward", "y", y, "dy", dy);
  require_equal_shapes("l2_normalize backward", "y", y, "dx", dx);
  if (norms.extent(0) != y.extent(0)) {
    fail("l2_normalize backward", "one norm per row: " + shapes_text("y", y, "norms", norms));
  }
  parallel_row_blocks(y.extent(0), y.extent(1), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const bool has_length = detail::wide_dot(y[r], y[r]) > T(0.999L);
      const T radial = has_length ? static_cast<T>(detail::wide_dot(y[r], dy[r])) : T(0);
      detail::subtract_and_divide(dy[r], radial, y[r], norms[r], dx[r]);
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
