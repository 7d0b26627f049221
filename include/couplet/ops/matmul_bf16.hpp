#pragma once
/// Matrix products in bfloat16 with float32 sums, by the packed kernels of simd/gemm_bf16.hpp.
///
/// Details of ops/packed_factor.hpp and ops/linear.hpp.
///
/// Bits: an element depends on its row of A, its column of B and K alone. Threads share out rows and columns, never the
/// inner index.
#include "couplet/ops/factor.hpp"
#include "couplet/simd/gemm_bf16.hpp"

namespace couplet::inline COUPLET_ABI::ops::detail {

/// a (M, K) into panels of packed_a_size(M, K) elements; 64 rows at a time are shared out between threads.
inline void pack_a_bf16(const simd::Bf16GemmKernels& kernels, const Factor<float>& a, bfloat16* panels) {
  constexpr Index rows = 4 * simd::bf16::tile_rows;
  const Index m = a.rows();
  const Index depth = simd::bf16::padded_depth(a.columns());
  parallel_for((m + rows - 1) / rows, [&](Index i) {
    const Index begin = i * rows;
    kernels.pack_a(a.view.data() + begin * a.row_stride(), a.row_stride(), a.column_stride(), std::min(rows, m - begin),
                   a.columns(), panels + begin * depth);
  });
}

/// b (K, N) into panels of packed_b_size(K, N) elements.
inline void pack_b_bf16(const simd::Bf16GemmKernels& kernels, const Factor<float>& b, bfloat16* panels) {
  constexpr Index columns = 2 * simd::bf16::panel_columns;
  const Index n = b.columns();
  const Index depth = simd::bf16::padded_depth(b.rows());
  parallel_for((n + columns - 1) / columns, [&](Index j) {
    const Index begin = j * columns;
    kernels.pack_b(b.view.data() + begin * b.column_stride(), b.row_stride(), b.column_stride(), b.rows(),
                   std::min(columns, n - begin), panels + begin * depth);
  });
}

/// The product and its epilogue on packed operands: A (m, k), B (k, n).
inline void multiply_packed(const simd::Bf16GemmKernels& kernels, Index m, Index n, Index k, const bfloat16* a,
                            const bfloat16* b, const simd::Bf16Epilogue& epilogue, Workspace& workspace) {
  if (m == 0 || n == 0) return;
  const Index depth = simd::bf16::padded_depth(k);
  const TaskGrid grid =
      share_tiles({2 * simd::bf16::tile_rows, simd::bf16::panel_columns, kernels.block_rows(k)}, m, n);
  parallel_for(workspace, grid.row_blocks * grid.column_blocks, [&](Index task, Workspace& scratch) {
    const Index row = task / grid.column_blocks * grid.rows;
    const Index column = task % grid.column_blocks * grid.columns;
    simd::Bf16Product product;
    product.m = std::min(grid.rows, m - row);
    product.n = std::min(grid.columns, n - column);
    product.k = k;
    product.a = a + row * depth;
    product.b = b + column * depth;
    product.epilogue = epilogue;
    simd::Bf16Epilogue& e = product.epilogue;
    if (e.bias != nullptr) e.bias += column;
    if (e.preactivation != nullptr) e.preactivation += row * e.preactivation_stride + column;
    if (e.y != nullptr) e.y += row * e.y_stride + column;
    if (e.operand != nullptr) e.operand += simd::bf16::a_offset(row, column, e.operand_depth);
    const Workspace::Scope scope(scratch);
    kernels.multiply(product, scratch.take<float>(kernels.scratch_size(product.m, k)));
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops::detail
