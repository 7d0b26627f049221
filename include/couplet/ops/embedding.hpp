#pragma once
/// Token and position embedding:  y_r = table[ids_r] + positions[places_r]. A row without a token (no_token) has its
/// position alone.
#include <cstdint>
#include <limits>
#include <span>

#include "couplet/core/tensor.hpp"
#include "couplet/ops/half_matrix.hpp"
#include "couplet/ops/residual.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// In the place of an id: the row stands for no token of the table (CoCa's class token).
inline constexpr std::int64_t no_token = -1;

namespace detail {

/// The ids must lie in [0, vocabulary) or be no_token, the places in [0, positions).
inline void check_embedding(const char* op, std::span<const std::int64_t> ids, std::span<const Index> places,
                            Index rows, Index vocabulary, Index positions) {
  if (std::ssize(ids) != rows || std::ssize(places) != rows) {
    fail(op, std::to_string(ids.size()) + " ids and " + std::to_string(places.size()) + " places for a result of " +
                 std::to_string(rows) + " rows");
  }
  for (std::size_t r = 0; r < ids.size(); ++r) {
    if (places[r] < 0 || places[r] >= positions) {
      fail(op, "row " + std::to_string(r) + " is at place " + std::to_string(places[r]) + ", but only " +
                   std::to_string(positions) + " positions have an embedding");
    }
    if (ids[r] != no_token && (ids[r] < 0 || ids[r] >= vocabulary)) {
      fail(op, "id " + std::to_string(ids[r]) + " at row " + std::to_string(r) + " is outside the vocabulary of " +
                   std::to_string(vocabulary));
    }
  }
}

/// copy_row(id, y_r): of a table of the shape `table`
template <class T, class CopyRow>
void embedding_forward(std::span<const std::int64_t> ids, std::span<const Index> places, const Shape& table,
                       const CopyRow& copy_row, TensorView<const T, 2> positions, TensorView<T, 2> y) {
  const Index columns = y.extent(1);
  if (table[1] != columns || positions.extent(1) != columns) {
    fail("embedding", "widths differ: table " + to_string(table) + ", " + shapes_text("positions", positions, "y", y));
  }
  check_embedding("embedding", ids, places, y.extent(0), table[0], positions.extent(0));
  parallel_row_blocks(y.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const auto row = static_cast<std::size_t>(r);
      const T* position = positions[places[row]].data();
      if (ids[row] == no_token) {
        std::copy_n(position, columns, y[r].data());
      } else {
        copy_row(static_cast<Index>(ids[row]), y[r].data());
        add_to(position, columns, y[r].data());
      }
    }
  });
}

}  // namespace detail

/// ids, places: (R)   table: (V, C)   positions: (P, C)   y: (R, C)
template <class T>
void embedding_forward(std::span<const std::int64_t> ids, std::span<const Index> places, TensorView<const T, 2> table,
                       TensorView<const T, 2> positions, TensorView<T, 2> y) {
  const auto copy_row = [&](Index id, T* to) { std::copy_n(table[id].data(), table.extent(1), to); };
  detail::embedding_forward<T>(ids, places, table.shape(), copy_row, positions, y);
}
/// The same with a table in 16 bits.
inline void embedding_forward(std::span<const std::int64_t> ids, std::span<const Index> places, const HalfMatrix& table,
                              TensorView<const float, 2> positions, TensorView<float, 2> y) {
  const auto copy_row = [&](Index id, float* to) { table.copy_row(id, to); };
  detail::embedding_forward<float>(ids, places, Shape{table.rows(), table.columns()}, copy_row, positions, y);
}

/// dtable[ids_r] += dy_r and dpositions[places_r] += dy_r, rows in order; threads split the columns.
/// dy: (R, C)   dtable: (V, C)   dpositions: (P, C); empty views when frozen.
template <class T>
void embedding_backward(std::span<const std::int64_t> ids, std::span<const Index> places, TensorView<const T, 2> dy,
                        TensorView<T, 2> dtable, TensorView<T, 2> dpositions) {
  const Index columns = dy.extent(1);
  if ((!dtable.empty() && dtable.extent(1) != columns) || (!dpositions.empty() && dpositions.extent(1) != columns)) {
    fail("embedding backward", "widths differ: " + shapes_text("dy", dy, "dtable", dtable, "dpositions", dpositions));
  }
  constexpr Index no_limit = std::numeric_limits<Index>::max();
  detail::check_embedding("embedding backward", ids, places, dy.extent(0), dtable.empty() ? no_limit : dtable.extent(0),
                          dpositions.empty() ? no_limit : dpositions.extent(0));
  parallel_column_blocks(dy.extent(0), columns, [&](Index begin, Index end) {
    const auto add_columns = [&](TensorView<const T, 1> gradient, TensorView<T, 1> sum) {
      detail::add_to(gradient.data() + begin, end - begin, sum.data() + begin);
    };
    for (Index r = 0; r < dy.extent(0); ++r) {
      const auto row = static_cast<std::size_t>(r);
      if (!dtable.empty() && ids[row] != no_token) add_columns(dy[r], dtable[static_cast<Index>(ids[row])]);
      if (!dpositions.empty()) add_columns(dy[r], dpositions[places[row]]);
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
