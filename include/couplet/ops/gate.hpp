#pragma once
/// The product of a gate and what passes it, element by element:  y = a b,   da = dy b,   db = dy a.
#include "couplet/core/tensor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// a, b, y: (R, C); y may be a or b.
template <class T>
void gate_forward(TensorView<const T, 2> a, TensorView<const T, 2> b, TensorView<T, 2> y) {
  require_equal_shapes("gate", "a", a, "b", b);
  require_equal_shapes("gate", "a", a, "y", y);
  const Index columns = a.extent(1);
  parallel_row_blocks(a.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      for (Index c = 0; c < columns; ++c) y(r, c) = a(r, c) * b(r, c);
    }
  });
}

/// dy, a, b, da, db: (R, C); da may be b and db may be a, element by element.
template <class T>
void gate_backward(TensorView<const T, 2> dy, TensorView<const T, 2> a, TensorView<const T, 2> b, TensorView<T, 2> da,
                   TensorView<T, 2> db) {
  require_equal_shapes("gate backward", "dy", dy, "a", a);
  require_equal_shapes("gate backward", "a", a, "b", b);
  require_equal_shapes("gate backward", "da", da, "db", db);
  const Index columns = a.extent(1);
  parallel_row_blocks(a.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      for (Index c = 0; c < columns; ++c) {
        const T of_a = dy(r, c) * b(r, c);
        db(r, c) = dy(r, c) * a(r, c);
        da(r, c) = of_a;
      }
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
