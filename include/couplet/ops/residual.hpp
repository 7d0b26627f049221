#pragma once
/// The residual stream:  y += x.   Its gradient flows unchanged into both summands.
#include "couplet/core/tensor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

/// y += x, n elements.
template <class T>
void add_to(const T* x, Index n, T* y) {
  if constexpr (std::is_same_v<T, float>) {
    simd::reduce_kernels().add(x, n, y);
  } else {
    for (Index i = 0; i < n; ++i) y[i] += x[i];
  }
}

}  // namespace detail

/// x, y: (R, C)
template <class T>
void residual_add(TensorView<const T, 2> x, TensorView<T, 2> y) {
  require_equal_shapes("residual_add", "x", x, "y", y);
  const Index columns = x.extent(1);
  parallel_row_blocks(x.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) detail::add_to(x[r].data(), columns, y[r].data());
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
