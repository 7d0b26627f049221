#pragma once
/// Token and position embedding:  y_r = table[ids_r] + positions[t], t = the place of row r in its sequence.
#include <cstdint>
#include <limits>
#include <span>

#include "couplet/core/sequences.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/ops/half_matrix.hpp"
#include "couplet/ops/residual.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

/// The ids must lie in [0, vocabulary), the sequences cover all rows and be no longer than `positions`.
inline void check_embedding(const char* op, std::span<const std::int64_t> ids, const Sequences& sequences, Index rows,
                            Index vocabulary, Index positions) {
  if (static_cast<Index>(ids.size()) != rows || sequences.rows() != rows) {
    fail(op, std::to_string(ids.size()) + " ids and sequences of " + std::to_string(sequences.rows()) +
                 " rows for a result of " + std::to_string(rows) + " rows");
  }
  for (Index i = 0; i < sequences.count(); ++i) {
    if (sequences.length(i) > positions) {
      fail(op, "sequence " + std::to_string(i) + " has " + std::to_string(sequences.length(i)) + " tokens, but only " +
                   std::to_string(positions) + " positions have an embedding");
    }
  }
  for (std::size_t r = 0; r < ids.size(); ++r) {
    if (ids[r] < 0 || ids[r] >= vocabulary) {
      fail(op, "id " + std::to_string(ids[r]) + " at row " + std::to_string(r) + " is outside the vocabulary of " +
                   std::to_string(vocabulary));
    }
  }
}

/// copy_row(id, y_r): of a table of the shape `table`
template <class T, class CopyRow>
void embedding_forward(std::span<const std::int64_t> ids, const Sequences& sequences, const Shape& table,
                       const CopyRow& copy_row, TensorView<const T, 2> positions, TensorView<T, 2> y) {
  const Index columns = y.extent(1);
  if (table[1] != columns || positions.extent(1) != columns) {
    fail("embedding", "widths differ: table " + to_string(table) + ", " + shapes_text("positions", positions, "y", y));
  }
  check_embedding("embedding", ids, sequences, y.extent(0), table[0], positions.extent(0));
  const auto embed_sequence = [&](Index i) {
    for (Index t = 0; t < sequences.length(i); ++t) {
      const Index r = sequences.begin(i) + t;
      const auto id = static_cast<Index>(ids[static_cast<std::size_t>(r)]);
      copy_row(id, y[r].data());
      add_to(positions[t].data(), columns, y[r].data());
    }
  };
  if (y.size() >= smallest_parallel_work) return parallel_for(sequences.count(), embed_sequence);
  for (Index i = 0; i < sequences.count(); ++i) embed_sequence(i);
}

}  // namespace detail

/// ids: (R)   table: (V, C)   positions: (P, C)   y: (R, C)
template <class T>
void embedding_forward(std::span<const std::int64_t> ids, const Sequences& sequences, TensorView<const T, 2> table,
                       TensorView<const T, 2> positions, TensorView<T, 2> y) {
  const auto copy_row = [&](Index id, T* to) { std::copy_n(table[id].data(), table.extent(1), to); };
  detail::embedding_forward<T>(ids, sequences, table.shape(), copy_row, positions, y);
}
/// The same with a table in 16 bits.
inline void embedding_forward(std::span<const std::int64_t> ids, const Sequences& sequences, const HalfMatrix& table,
                              TensorView<const float, 2> positions, TensorView<float, 2> y) {
  const auto copy_row = [&](Index id, float* to) { table.copy_row(id, to); };
  detail::embedding_forward<float>(ids, sequences, Shape{table.rows(), table.columns()}, copy_row, positions, y);
}

/// dtable[ids_r] += dy_r and dpositions[t] += dy_r, rows in order; threads split the columns.
/// dy: (R, C)   dtable: (V, C)   dpositions: (P, C); empty views when frozen.
template <class T>
void embedding_backward(std::span<const std::int64_t> ids, const Sequences& sequences, TensorView<const T, 2> dy,
                        TensorView<T, 2> dtable, TensorView<T, 2> dpositions) {
  const Index columns = dy.extent(1);
  if ((!dtable.empty() && dtable.extent(1) != columns) || (!dpositions.empty() && dpositions.extent(1) != columns)) {
    fail("embedding backward", "widths differ: " + shapes_text("dy", dy, "dtable", dtable, "dpositions", dpositions));
  }
  constexpr Index no_limit = std::numeric_limits<Index>::max();
  detail::check_embedding("embedding backward", ids, sequences, dy.extent(0),
                          dtable.empty() ? no_limit : dtable.extent(0),
                          dpositions.empty() ? no_limit : dpositions.extent(0));
  parallel_column_blocks(dy.extent(0), columns, [&](Index begin, Index end) {
    const auto add_columns = [&](TensorView<const T, 1> gradient, TensorView<T, 1> sum) {
      detail::add_to(gradient.data() + begin, end - begin, sum.data() + begin);
    };
    for (Index i = 0; i < sequences.count(); ++i) {
      for (Index t = 0; t < sequences.length(i); ++t) {
        const Index r = sequences.begin(i) + t;
        const auto id = static_cast<Index>(ids[static_cast<std::size_t>(r)]);
        if (!dtable.empty()) add_columns(dy[r], dtable[id]);
        if (!dpositions.empty()) add_columns(dy[r], dpositions[t]);
      }
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
