#pragma once
/// A right-hand factor that is packed once for several products, and products in either precision.
#include "couplet/ops/matmul_bf16.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// B (K, N) in the form that products read, in memory of the workspace; for types other than float B itself.
template <class T>
class PackedFactor {
 public:
  /// bfloat16 where this machine has it, else float32. `b` must outlive the packed factor.
  PackedFactor(const Factor<T>& b, Precision precision, Workspace& workspace) : factor_(b) {
    if constexpr (std::is_same_v<T, float>) {
      bf16_kernels_ = precision == Precision::bfloat16 ? simd::bf16_gemm_kernels() : nullptr;
      if (bf16_kernels_ != nullptr) {
        bf16_panels_ = workspace.take<bfloat16>(simd::bf16::packed_b_size(b.rows(), b.columns()));
        detail::pack_b_bf16(*bf16_kernels_, b, bf16_panels_);
      } else {
        kernels_ = &simd::gemm_kernels();
        panels_ = workspace.take<float>(kernels_->packed_size(b.rows(), b.columns()));
        detail::pack_panels(*kernels_, b, panels_);
      }
    }
  }

  /// C = A B, or C += A B.   a: (M, K); c: (M, N), not overlapping the factors.
  void multiply(const Factor<T>& a, TensorView<T, 2> c, bool accumulate, Workspace& workspace) const {
    if constexpr (std::is_same_v<T, float>) {
      detail::check_product(a, factor_, c);
      if (bf16_kernels_ == nullptr) {
        return detail::multiply_packed(*kernels_, a, panels_, c, accumulate, {}, workspace);
      }
      const Workspace::Scope scope(workspace);
      bfloat16* const packed_a = workspace.take<bfloat16>(simd::bf16::packed_a_size(a.rows(), a.columns()));
      detail::pack_a_bf16(*bf16_kernels_, a, packed_a);
      detail::multiply_packed(*bf16_kernels_, a.rows(), factor_.columns(), a.columns(), packed_a, bf16_panels_,
                              {.y = c.data(), .y_stride = c.stride(0), .accumulate = accumulate}, workspace);
    } else {
      ops::multiply<T>(a, factor_, c, accumulate, workspace);
    }
  }

 private:
  Factor<T> factor_;
  const simd::GemmKernels* kernels_ = nullptr;
  const simd::Bf16GemmKernels* bf16_kernels_ = nullptr;
  float* panels_ = nullptr;
  bfloat16* bf16_panels_ = nullptr;
};

/// C = A B, or C += A B, in the precision asked for where this machine has it.   a: (M, K); b: (K, N); c: (M, N)
template <class T>
void multiply(const Factor<T>& a, const Factor<T>& b, TensorView<T, 2> c, bool accumulate, Precision precision,
              Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  PackedFactor<T>(b, precision, workspace).multiply(a, c, accumulate, workspace);
}

}  // namespace couplet::inline COUPLET_ABI::ops
