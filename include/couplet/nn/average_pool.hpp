#pragma once
/// Average pooling of the tokens of each sequence, without the class token in front of them (open_clip's pool_type
/// "avg").
#include <algorithm>

#include "couplet/core/parallel.hpp"
#include "couplet/core/sequences.hpp"
#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::nn {

/// y[i] = mean of rows [begin(i) + skip, end(i)) of x, rows in order.   x: (R, C)   y: (sequences, C), assigned.
template <class T>
void average_pool_forward(TensorView<const T, 2> x, const Sequences& sequences, Index skip, TensorView<T, 2> y) {
  parallel_for(sequences.count(), [&](Index i) {
    const Index first = sequences.begin(i) + skip;
    const Index last = sequences.end(i);
    std::fill_n(y[i].data(), y.extent(1), T(0));
    for (Index r = first; r < last; ++r) {
      for (Index c = 0; c < y.extent(1); ++c) y(i, c) += x(r, c);
    }
    for (Index c = 0; c < y.extent(1); ++c) y(i, c) /= static_cast<T>(last - first);
  });
}

/// dx[r] = dy[i] / n for the n rows of sequence i, 0 for skipped rows.   dy: (sequences, C)   dx: (R, C), assigned.
template <class T>
void average_pool_backward(TensorView<const T, 2> dy, const Sequences& sequences, Index skip, TensorView<T, 2> dx) {
  parallel_for(sequences.count(), [&](Index i) {
    const Index first = sequences.begin(i) + skip;
    const Index last = sequences.end(i);
    for (Index r = sequences.begin(i); r < first; ++r) std::fill_n(dx[r].data(), dx.extent(1), T(0));
    for (Index r = first; r < last; ++r) {
      for (Index c = 0; c < dx.extent(1); ++c) dx(r, c) = dy(i, c) / static_cast<T>(last - first);
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::nn
