#pragma once
/// Rotary positions: neighbouring components of each head turn by angles that belong to the row's place in its
/// sequence.
///   (x_2i, x_2i+1) -> (x_2i cos a_ti - x_2i+1 sin a_ti,  x_2i sin a_ti + x_2i+1 cos a_ti)
/// The backward pass turns by the opposite angles. Su et al., "RoFormer", arXiv:2104.09864.
#include "couplet/core/parallel.hpp"
#include "couplet/core/sequences.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// Of each place and pair: (places, D / 2), D the width of a head.
template <class T>
struct RotaryAngles {
  TensorView<const T, 2> cosines, sines;
};

namespace detail {

/// direction: 1, or -1 for the opposite angles.
template <class T>
void rotate(const char* op, const RotaryAngles<T>& angles, const Sequences& sequences, T direction,
            TensorView<T, 2> x) {
  const Index pairs = angles.cosines.extent(1);
  require_equal_shapes(op, "cosines", angles.cosines, "sines", angles.sines);
  if (pairs == 0 || x.extent(1) % (2 * pairs) != 0 || sequences.rows() != x.extent(0)) {
    fail(op, "sequences of " + std::to_string(sequences.rows()) + " rows; " +
                 shapes_text("x", x, "cosines", angles.cosines));
  }
  for (Index i = 0; i < sequences.count(); ++i) {
    if (sequences.length(i) <= angles.cosines.extent(0)) continue;
    fail(op, "sequence " + std::to_string(i) + " has " + std::to_string(sequences.length(i)) + " rows, but only " +
                 std::to_string(angles.cosines.extent(0)) + " places have angles");
  }
  parallel_for(sequences.count(), [&](Index i) {
    for (Index t = 0; t < sequences.length(i); ++t) {
      const T* const cosine = angles.cosines[t].data();
      const T* const sine = angles.sines[t].data();
      T* const row = x[sequences.begin(i) + t].data();
      for (Index head = 0; head < x.extent(1); head += 2 * pairs) {
        for (Index p = 0; p < pairs; ++p) {
          T* const pair = row + head + 2 * p;
          const T s = direction * sine[p];
          const T first = pair[0] * cosine[p] - pair[1] * s;
          pair[1] = pair[0] * s + pair[1] * cosine[p];
          pair[0] = first;
        }
      }
    }
  });
}

}  // namespace detail

/// x: (R, H D), in place; row t of a sequence turns by the angles of place t.
template <class T>
void rotary_forward(const RotaryAngles<T>& angles, const Sequences& sequences, TensorView<T, 2> x) {
  detail::rotate("rotary", angles, sequences, T(1), x);
}

/// dx: (R, H D), in place: the gradient of what went out before, of what came in afterwards.
template <class T>
void rotary_backward(const RotaryAngles<T>& angles, const Sequences& sequences, TensorView<T, 2> dx) {
  detail::rotate("rotary backward", angles, sequences, T(-1), dx);
}

}  // namespace couplet::inline COUPLET_ABI::ops
