#pragma once
/// Layer normalization of rows; the formulas are in ops/layer_norm.hpp.
#include "couplet/simd/dispatch.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::simd {

struct LayerNormKernels {
  /// One row of `columns` elements. Statistics in two passes.
  void (*forward)(const float* x, const float* weight, const float* bias, float eps, Index columns, float* y,
                  float* mean, float* rstd);
  /// dx of one row, assigned or added to what dx holds; dx may be dy.
  void (*backward)(const float* dy, const float* x, const float* weight, float mean, float rstd, Index columns,
                   bool accumulate, float* dx);
  /// dweight[c] += sum of dy (x - mean) rstd,   dbias[c] += sum of dy, over rows in order, 256 at a time from zero.
  /// dweight or dbias may be nullptr.   dy, x: (rows, columns) with their strides; mean, rstd: (rows)
  void (*backward_parameters)(const float* dy, Index dy_stride, const float* x, Index x_stride, const float* mean,
                              const float* rstd, Index rows, Index columns, float* dweight, float* dbias);
};

const LayerNormKernels& layer_norm_kernels(Level level);
inline const LayerNormKernels& layer_norm_kernels() { return layer_norm_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/layer_norm.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(LayerNormKernels, layer_norm_kernels)
#endif
