#pragma once
/// The residual stream:  y += x.   Its gradient flows unchanged into both summands.
#include "couplet/core/tensor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// x, y: (R, C)
template <class T>
void residual_add(TensorView<const T, 2> x, TensorView<T, 2> y) {
  require_equal_shapes("residual_add", "x", x, "y", y);
  const Index columns = x.extent(1);
  parallel_row_blocks(x.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* const from = x[r].data();
      T* const to = y[r].data();
      for (Index c = 0; c < columns; ++c) to[c] += from[c];
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
