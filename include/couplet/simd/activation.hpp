#pragma once
/// Activation functions and their derivatives on runs of elements; the formulas are in ops/activation.hpp.
#include "couplet/simd/activation_functions.hpp"
#include "couplet/simd/dispatch.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::simd {

struct ActivationKernels {
  /// y = f(x); y may be x.
  void (*forward)(Activation kind, const float* x, Index n, float* y);
  /// dx = dy f'(x), assigned; dx may be dy.
  void (*backward)(Activation kind, const float* x, const float* dy, Index n, float* dx);
};

const ActivationKernels& activation_kernels(Level level);
inline const ActivationKernels& activation_kernels() { return activation_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/activation.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(ActivationKernels, activation_kernels)
#endif
