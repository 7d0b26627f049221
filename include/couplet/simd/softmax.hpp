#pragma once
/// Softmax of rows; the formulas are in ops/softmax.hpp.
#include "couplet/simd/activation_functions.hpp"
#include "couplet/simd/dispatch.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::simd {

struct SoftmaxKernels {
  /// One row of columns > 0 elements; y may be x.
  void (*forward)(const float* x, Index columns, float* y);
  /// One row: dx = y (dy - sum of y dy), assigned; dx may be dy.
  void (*backward)(const float* y, const float* dy, Index columns, float* dx);
};

const SoftmaxKernels& softmax_kernels(Level level);
inline const SoftmaxKernels& softmax_kernels() { return softmax_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/softmax.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(SoftmaxKernels, softmax_kernels)
#endif
