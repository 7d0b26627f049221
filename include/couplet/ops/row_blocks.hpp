#pragma once
/// How the operations on rows of a matrix are shared between threads.
///
/// Forward passes and gradients of activations treat every row alone, so blocks of rows run in parallel. Gradients of
/// parameters are sums over all rows: there the threads split the columns, and every column adds its rows in order.
/// The blocks depend on shapes only, never on the number of threads.
#include <algorithm>

#include "couplet/core/parallel.hpp"
#include "couplet/core/workspace.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// Rows that a sum over rows adds up from zero before the result joins the total: keeps the rounding error of long
/// batches small. Always counted from row 0.
inline constexpr Index rows_per_sum = 256;

/// Work (elements read or written, or multiplications / 8) below which waking threads costs more than it saves.
inline constexpr Index smallest_parallel_work = 16384;

/// parallel_for when `work` is worth it, else a plain loop.
template <class F>
void parallel_for_work(Workspace& workspace, Index work, Index n, F&& f) {
  if (work >= smallest_parallel_work) return parallel_for(workspace, n, f);
  for (Index i = 0; i < n; ++i) f(i, workspace);
}

/// Calls f(begin, end) for blocks of rows that cover [0, rows): about 16,384 elements each.
template <class F>
void parallel_row_blocks(Index rows, Index columns, F&& f) {
  const Index block = std::max<Index>(1, smallest_parallel_work / std::max<Index>(1, columns));
  parallel_for((rows + block - 1) / block, [&](Index i) { f(i * block, std::min(rows, (i + 1) * block)); });
}

/// Calls f(begin, end) for blocks of columns that cover [0, columns): of 64 columns (four cache lines of float), or of
/// all when the matrix is small.
template <class F>
void parallel_column_blocks(Index rows, Index columns, F&& f) {
  const Index block = rows * columns < smallest_parallel_work ? std::max<Index>(1, columns) : 64;
  parallel_for((columns + block - 1) / block, [&](Index i) { f(i * block, std::min(columns, (i + 1) * block)); });
}

}  // namespace couplet::inline COUPLET_ABI::ops
