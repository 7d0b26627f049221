#pragma once
/// All dot products of two sets of rows.
#include "couplet/ops/packed_factor.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// C = A B^T.   a: (M, K); b_transposed: (N, K); c: (M, N), assigned.
template <class T>
void matmul(TensorView<const T, 2> a, TensorView<const T, 2> b_transposed, TensorView<T, 2> c, Workspace& workspace) {
  multiply<T>({a}, {b_transposed, true}, c, false, workspace);
}

}  // namespace couplet::inline COUPLET_ABI::ops
