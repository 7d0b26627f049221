#pragma once
/// The factors of a matrix product, and how its tiles are shared out between threads; ops/packed_factor.hpp multiplies.
///   C (M, N) = A (M, K) B (K, N), or C += A B
/// float runs the packed kernels of simd/gemm.hpp, other types the three loops of the definition.
///
/// Bits: an element of C depends on its row of A, its column of B and K alone. The inner index is never split between
/// threads; they share out the rows of C, and its columns where the rows are few.
#include <algorithm>

#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/core/workspace.hpp"
#include "couplet/simd/gemm.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// A matrix as a factor: the view itself or its transpose.
template <class T>
struct Factor {
  TensorView<const T, 2> view;
  bool transposed = false;

  [[nodiscard]] Index rows() const { return view.extent(transposed ? 1 : 0); }
  [[nodiscard]] Index columns() const { return view.extent(transposed ? 0 : 1); }
  [[nodiscard]] Index row_stride() const { return transposed ? 1 : view.stride(0); }
  [[nodiscard]] Index column_stride() const { return transposed ? view.stride(0) : 1; }
  [[nodiscard]] T operator()(Index i, Index j) const { return transposed ? view(j, i) : view(i, j); }
};

namespace detail {

/// b (K, N) into panels, which hold kernels.packed_size(K, N) elements; panels are shared out between threads.
inline void pack_panels(const simd::GemmKernels& kernels, const Factor<float>& b, float* panels) {
  const Index k = b.rows();
  const Index n = b.columns();
  const Index width = kernels.panel_columns;
  const Index count = (n + width - 1) / width;
  // Several panels at a time read a row of a row-major b in long pieces, but every thread should have some.
  const Index group = std::clamp<Index>(count / (2 * available_threads()), 1, 4);
  parallel_for((count + group - 1) / group, [&](Index i) {
    const Index begin = i * group * width;
    const Index end = std::min(n, begin + group * width);
    kernels.pack_b(b.view.data() + begin * b.column_stride(), b.row_stride(), b.column_stride(), k, end - begin,
                   panels + begin * k);
  });
}

/// How the tiles of C are shared out: `row_blocks` x `column_blocks` tasks of whole tiles.
struct TaskGrid {
  Index row_blocks;
  Index column_blocks;
  Index rows;     ///< per task, the last one has what is left
  Index columns;  ///< per task
};

/// The pieces that a kernel works on.
struct TileSizes {
  Index rows;
  Index columns;
  Index block_rows;  ///< rows of A in the cache at a time
};

/// As few tasks as keep the packed block of A in the cache and give every thread the same work. Few rows are divided by
/// columns, so that each thread reads a part of the weights only.
inline TaskGrid share_tiles(const TileSizes& tile, Index m, Index n) {
  const auto divide_up = [](Index a, Index b) { return (a + b - 1) / b; };
  const Index row_tiles = divide_up(m, tile.rows);
  const Index column_tiles = divide_up(n, tile.columns);
  const Index threads = available_threads();
  Index row_blocks = divide_up(m, tile.block_rows);
  Index column_blocks = 1;
  if (row_blocks >= threads) {
    row_blocks = std::min(divide_up(row_blocks, threads) * threads, row_tiles);
  } else {
    column_blocks = std::min(divide_up(threads, row_blocks), column_tiles);
    row_blocks = std::min(std::max(row_blocks, divide_up(threads, column_blocks)), row_tiles);
  }
  TaskGrid grid{};
  grid.rows = divide_up(row_tiles, row_blocks) * tile.rows;
  grid.columns = divide_up(column_tiles, column_blocks) * tile.columns;
  grid.row_blocks = divide_up(m, grid.rows);
  grid.column_blocks = divide_up(n, grid.columns);
  return grid;
}

/// C = or += A B and the epilogue, B packed for these kernels.
inline void multiply_packed(const simd::GemmKernels& kernels, const Factor<float>& a, const float* panels,
                            TensorView<float, 2> c, bool accumulate, const simd::GemmEpilogue& epilogue,
                            Workspace& workspace) {
  const Index m = c.extent(0);
  const Index n = c.extent(1);
  const Index k = a.columns();
  if (m == 0 || n == 0) return;
  const TaskGrid grid = share_tiles({kernels.tile_rows, kernels.panel_columns, kernels.block_rows}, m, n);
  parallel_for(workspace, grid.row_blocks * grid.column_blocks, [&](Index task, Workspace& scratch) {
    const Index row = task / grid.column_blocks * grid.rows;
    const Index column = task % grid.column_blocks * grid.columns;
    simd::GemmProduct product;
    product.m = std::min(grid.rows, m - row);
    product.n = std::min(grid.columns, n - column);
    product.k = k;
    product.a = a.view.data() + row * a.row_stride();
    product.a_row_stride = a.row_stride();
    product.a_column_stride = a.column_stride();
    product.b = panels + column * k;
    product.c = c.data() + row * c.stride(0) + column;
    product.c_stride = c.stride(0);
    product.accumulate = accumulate;
    product.epilogue = epilogue;
    if (epilogue.bias != nullptr) product.epilogue.bias += column;
    if (epilogue.y != nullptr) product.epilogue.y += row * epilogue.y_stride + column;
    const Workspace::Scope scope(scratch);
    kernels.multiply(product, scratch.take<float>(kernels.scratch_size(product.m, k)));
  });
}

/// b: (rows, columns)
template <class T>
void check_product(const Factor<T>& a, Index rows, Index columns, TensorView<T, 2> c) {
  if (a.columns() != rows || c.extent(0) != a.rows() || c.extent(1) != columns) {
    fail("matmul", "shapes do not fit: a " + to_string(Shape{a.rows(), a.columns()}) + ", b " +
                       to_string(Shape{rows, columns}) + ", c " + to_string(c.shape()));
  }
}

/// The definition.
template <class T>
void multiply_reference(const Factor<T>& a, const Factor<T>& b, TensorView<T, 2> c, bool accumulate) {
  parallel_for(c.extent(0), [&](Index i) {
    for (Index j = 0; j < c.extent(1); ++j) {
      T sum = 0;
      for (Index p = 0; p < a.columns(); ++p) sum += a(i, p) * b(p, j);
      c(i, j) = accumulate ? c(i, j) + sum : sum;
    }
  });
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::ops
