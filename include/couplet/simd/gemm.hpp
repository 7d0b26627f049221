#pragma once
/// Matrix products in float32: C (m, n) = A (m, k) B (k, n), with bias and activation in the epilogue.
///
/// Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (2008): B lies in packed
/// panels of panel_columns columns, A is packed in blocks as it is read, and a micro-kernel keeps a tile of
/// tile_rows x panel_columns sums in registers.
///
/// Bits. Every element is
///   c = ((c_old + s_0) + s_1) + ...,   s_i the sum over inner indices [chunk i, chunk (i + 1)) in rising order,
/// whatever m, n, the element's place in a tile and the split into calls are: a row never depends on the rows beside
/// it. chunk is the same on all levels; the levels differ in the rounding of a product (see arch/scalar.inl).
#include "couplet/simd/activation_functions.hpp"

namespace couplet::inline COUPLET_ABI::simd {

/// What happens to a finished element of s = A B: z = s + bias goes to C, and f(z) to y.
struct GemmEpilogue {
  const float* bias = nullptr;                   ///< (n), or none
  Activation activation = Activation::identity;  ///< f
  float* y = nullptr;                            ///< (m, n); none: f(z) itself goes to C
  Index y_stride = 0;                            ///< elements from one row of y to the next
  bool accumulate = false;                       ///< y += f(z)
};

struct GemmProduct {
  Index m = 0;
  Index n = 0;
  Index k = 0;
  const float* a = nullptr;  ///< element (i, p) is a[i a_row_stride + p a_column_stride]
  Index a_row_stride = 0;
  Index a_column_stride = 1;
  const float* b = nullptr;  ///< panels made by pack_b for this k
  float* c = nullptr;
  Index c_stride = 0;       ///< elements from one row of C to the next
  bool accumulate = false;  ///< C += A B
  GemmEpilogue epilogue;
};

struct GemmKernels {
  Index tile_rows;
  Index panel_columns;
  Index block_rows;  ///< rows of A that are packed at a time; a multiple of tile_rows
  Index chunk;       ///< inner indices per chunk

  /// B, element (p, j) at b[p row_stride + j column_stride], into panels of panel_columns columns, zero-padded: panel
  /// j / panel_columns is (k, panel_columns). Panels begin k panel_columns elements apart. Fast when a stride is 1.
  void (*pack_b)(const float* b, Index row_stride, Index column_stride, Index k, Index n, float* panels);
  /// One thread's product. `scratch` holds scratch_size(m, k) elements.
  void (*multiply)(const GemmProduct& product, float* scratch);

  /// Elements that pack_b writes.
  [[nodiscard]] Index packed_size(Index k, Index n) const {
    return checked_multiply(checked_multiply((n + panel_columns - 1) / panel_columns, panel_columns), k);
  }
  /// The packed block of A, and one vector's overhang.
  [[nodiscard]] Index scratch_size(Index m, Index k) const {
    const Index rows = m < block_rows ? (m + tile_rows - 1) / tile_rows * tile_rows : block_rows;
    return rows * (k < chunk ? k : chunk) + 16;
  }
};

const GemmKernels& gemm_kernels(Level level);
inline const GemmKernels& gemm_kernels() { return gemm_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/gemm.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(GemmKernels, gemm_kernels)
#endif
