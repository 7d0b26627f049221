#pragma once
/// A right-hand factor in the form that products read, and products in either precision.
#include <type_traits>

#include "couplet/core/precision.hpp"
#include "couplet/ops/matmul_bf16.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// B (K, N), packed once for several products; for types other than float B itself. It borrows its memory.
template <class T>
class PackedFactor {
 public:
  PackedFactor() = default;
  /// bfloat16 where this machine has it, else float32. The panels lie where `memory.take<Element>(count)` says, usually
  /// in a workspace. For types other than float, `b` must outlive the packed factor.
  template <class Memory>
  PackedFactor(const Factor<T>& b, Precision precision, Memory& memory) : rows_(b.rows()), columns_(b.columns()) {
    if constexpr (std::is_same_v<T, float>) {
      kernels_ = &simd::gemm_kernels();
      bf16_kernels_ = precision == Precision::bfloat16 ? simd::bf16_gemm_kernels() : nullptr;
      if (bf16_kernels_ != nullptr) {
        auto* const panels = memory.template take<bfloat16>(simd::bf16::packed_b_size(rows_, columns_));
        detail::pack_b_bf16(*bf16_kernels_, b, panels);
        panels_ = panels;
      } else {
        auto* const panels = memory.template take<float>(kernels_->packed_size(rows_, columns_));
        detail::pack_panels(*kernels_, b, panels);
        panels_ = panels;
      }
    } else {
      panels_ = b.view.data();
      stride_ = b.view.stride(0);
      transposed_ = b.transposed;
    }
  }

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index columns() const { return columns_; }
  /// Nothing has been packed.
  [[nodiscard]] bool empty() const { return panels_ == nullptr; }
  /// In which products with it run.
  [[nodiscard]] Precision precision() const {
    return bf16_kernels_ != nullptr ? Precision::bfloat16 : Precision::float32;
  }

  /// The panels of float, of the instruction-set level that was active when they were packed; products with them run on
  /// that level.
  [[nodiscard]] const simd::GemmKernels& kernels() const { return *kernels_; }
  [[nodiscard]] const float* panels() const { return static_cast<const float*>(panels_); }
  /// When precision() is bfloat16.
  [[nodiscard]] const simd::Bf16GemmKernels& bf16_kernels() const { return *bf16_kernels_; }
  [[nodiscard]] const bfloat16* bf16_panels() const { return static_cast<const bfloat16*>(panels_); }

  /// B itself, of types other than float.
  [[nodiscard]] Factor<T> factor() const {
    const Extents<2> extents = transposed_ ? Extents<2>{columns_, rows_} : Extents<2>{rows_, columns_};
    return {TensorView<const T, 2>(static_cast<const T*>(panels_), extents, {stride_, 1}), transposed_};
  }

  /// The same in a copy of its memory.
  [[nodiscard]] PackedFactor at(const void* memory) const {
    PackedFactor moved = *this;
    moved.panels_ = memory;
    return moved;
  }

  /// C = A B, or C += A B.   a: (M, K); c: (M, N), not overlapping the factors.
  void multiply(const Factor<T>& a, TensorView<T, 2> c, bool accumulate, Workspace& workspace) const {
    detail::check_product(a, rows_, columns_, c);
    if constexpr (std::is_same_v<T, float>) {
      if (bf16_kernels_ == nullptr) {
        return detail::multiply_packed(*kernels_, a, panels(), c, accumulate, {}, workspace);
      }
      const Workspace::Scope scope(workspace);
      bfloat16* const packed_a = workspace.take<bfloat16>(simd::bf16::packed_a_size(a.rows(), a.columns()));
      detail::pack_a_bf16(*bf16_kernels_, a, packed_a);
      detail::multiply_packed(*bf16_kernels_, a.rows(), columns_, a.columns(), packed_a, bf16_panels(),
                              {.y = c.data(), .y_stride = c.stride(0), .accumulate = accumulate}, workspace);
    } else {
      detail::multiply_reference(a, factor(), c, accumulate);
    }
  }

 private:
  const simd::GemmKernels* kernels_ = nullptr;
  const simd::Bf16GemmKernels* bf16_kernels_ = nullptr;
  const void* panels_ = nullptr;  // float or bfloat16; T of types other than float
  Index rows_ = 0;
  Index columns_ = 0;
  Index stride_ = 0;         // of types other than float
  bool transposed_ = false;  // of types other than float
};

/// C = A B, or C += A B, in the precision asked for where this machine has it.   a: (M, K); b: (K, N); c: (M, N)
template <class T>
void multiply(const Factor<T>& a, const Factor<T>& b, TensorView<T, 2> c, bool accumulate, Precision precision,
              Workspace& workspace) {
  detail::check_product(a, b.rows(), b.columns(), c);
  if (c.empty()) return;
  const Workspace::Scope scope(workspace);
  PackedFactor<T>(b, precision, workspace).multiply(a, c, accumulate, workspace);
}

/// The same in the precision of T.
template <class T>
void multiply(const Factor<T>& a, const Factor<T>& b, TensorView<T, 2> c, bool accumulate, Workspace& workspace) {
  multiply<T>(a, b, c, accumulate, Precision::float32, workspace);
}

}  // namespace couplet::inline COUPLET_ABI::ops
