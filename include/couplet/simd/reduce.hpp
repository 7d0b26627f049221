#pragma once
/// Sums: over columns of a matrix, and of products in double; and the simplest operations on rows.
///
/// The kernel body (kernels/reduce.inl) also holds the loops over vectors with a masked tail that the other
/// row-by-row families (layer_norm, softmax, activation, contrastive, adamw) are written with.
#include "couplet/simd/dispatch.hpp"

namespace couplet::inline COUPLET_ABI::simd {

struct ReduceKernels {
  /// sums[c] += sum over the rows of x[r][c]. Rows are added in order, 256 at a time from zero: columns can be split
  /// between threads without changing a bit.   x: (rows, columns), `stride` elements from row to row
  void (*column_sums)(const float* x, Index stride, Index rows, Index columns, float* sums);
  /// sum of x_i y_i in double. A product of two floats is exact in double, so only the additions round.
  double (*dot)(const float* x, const float* y, Index n);
  /// y_i += x_i
  void (*add)(const float* x, Index n, float* y);
  /// out_i = (x_i - factor y_i) / divisor; out may be x or y.
  void (*subtract_and_divide)(const float* x, float factor, const float* y, float divisor, Index n, float* out);
};

const ReduceKernels& reduce_kernels(Level level);
inline const ReduceKernels& reduce_kernels() { return reduce_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/reduce.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(ReduceKernels, reduce_kernels)
#endif
