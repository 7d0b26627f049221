#pragma once
/// The AdamW update of torch.optim.AdamW, element by element; optim/adamw.hpp holds the optimiser around it.
#include "couplet/simd/dispatch.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::simd {

/// The factors of one step t, computed in double and rounded once.
struct AdamWFactors {
  float grad_scale;  ///< gradients are multiplied by it as they are read (clipping)
  float decay;       ///< 1 - lr weight_decay, or 1
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float step_size;              ///< lr / (1 - beta1^t)
  float bias_correction2_sqrt;  ///< sqrt(1 - beta2^t)
  float eps;
};

struct AdamWKernels {
  ///   g = grad_scale grad
  ///   m <- m + (1 - beta1) (g - m)          v <- beta2 v + (1 - beta2) g^2
  ///   p <- decay p - step_size m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
  void (*update)(const AdamWFactors& factors, const float* grad, float* value, float* exp_avg, float* exp_avg_sq,
                 Index n);
};

const AdamWKernels& adamw_kernels(Level level);
inline const AdamWKernels& adamw_kernels() { return adamw_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/adamw.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(AdamWKernels, adamw_kernels)
#endif
