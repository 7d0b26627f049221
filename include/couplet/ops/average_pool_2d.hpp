#pragma once
/// Average pooling of images over k x k pixels with stride k, as torch.nn.AvgPool2d(k): pixels beyond the last whole
/// square are not used.
///   y[b, i, j] = mean of x[b, k i + (0 .. k-1), k j + (0 .. k-1)]       rows of pixels, see ops/feature_map.hpp
#include <algorithm>

#include "couplet/ops/feature_map.hpp"
#include "couplet/ops/residual.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

template <class X, class Y>
void check_average_pool(const char* op, const X& x, const FeatureMap& map, Index k, const Y& y) {
  const bool fits = k >= 1 && x.extent(0) == map.rows() && y.extent(0) == map.divided(k).rows();
  if (fits && x.extent(1) == y.extent(1)) return;
  fail(op, "shapes do not fit: x " + couplet::to_string(x.shape()) + ", y " + couplet::to_string(y.shape()) + ", " +
               to_string(map) + ", pooled over " + std::to_string(k));
}

/// The row of the first pixel of the square that output row `row` covers.
inline Index first_pooled_row(const FeatureMap& map, Index k, Index row) {
  const FeatureMap out = map.divided(k);
  const Index image = row / out.pixels();
  const Index y = row % out.pixels() / out.width;
  const Index x = row % out.width;
  return image * map.pixels() + y * k * map.width + x * k;
}

}  // namespace detail

/// x: (B H W, C), the pixels of `map`   y: (B (H / k) (W / k), C), assigned.
template <class T>
void average_pool_2d_forward(TensorView<const T, 2> x, const FeatureMap& map, Index k, TensorView<T, 2> y) {
  detail::check_average_pool("average_pool_2d", x, map, k, y);
  const Index channels = x.extent(1);
  const T share = T(1) / static_cast<T>(k * k);
  parallel_row_blocks(y.extent(0), channels * k * k, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Index first = detail::first_pooled_row(map, k, row);
      T* out = y[row].data();
      std::copy_n(x[first].data(), channels, out);
      for (Index i = 1; i < k * k; ++i) {
        detail::add_to(x[first + i / k * map.width + i % k].data(), channels, out);
      }
      for (Index c = 0; c < channels; ++c) out[c] *= share;
    }
  });
}

/// dx = dy / k^2 over each square and 0 outside of them, assigned, or added to dx.
/// dy: (B (H / k) (W / k), C)   dx: (B H W, C)
template <class T>
void average_pool_2d_backward(TensorView<const T, 2> dy, const FeatureMap& map, Index k, TensorView<T, 2> dx,
                              bool accumulate_dx) {
  detail::check_average_pool("average_pool_2d backward", dx, map, k, dy);
  const FeatureMap out = map.divided(k);
  const Index channels = dx.extent(1);
  const T share = T(1) / static_cast<T>(k * k);
  parallel_row_blocks(dx.extent(0), channels, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Index y = row % map.pixels() / map.width / k;
      const Index x = row % map.width / k;
      T* to = dx[row].data();
      if (!accumulate_dx) std::fill_n(to, channels, T(0));
      if (y >= out.height || x >= out.width) continue;
      const T* from = dy[row / map.pixels() * out.pixels() + y * out.width + x].data();
      for (Index c = 0; c < channels; ++c) to[c] += from[c] * share;
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
