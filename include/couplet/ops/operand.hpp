#pragma once
/// A matrix in the form the next product reads.
///
/// Normalisations, attention and the epilogues of products write operands, so that a value goes from one product to the
/// next without a detour. There are two forms: rows of T (the float32 product packs a block of them into panels as it
/// goes), and for products in bfloat16 the packed tiles of simd/gemm_bf16.hpp.
#include <algorithm>

#include "couplet/core/precision.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/core/workspace.hpp"
#include "couplet/simd/gemm_bf16.hpp"

namespace couplet::inline COUPLET_ABI::ops {

template <class T>
class Operand {
 public:
  /// Scratch memory for (rows, columns), valid as long as the workspace's scope. `precision` is that of the product
  /// that reads it; only operands of float can be packed.
  Operand(Workspace& workspace, Index rows, Index columns, Precision precision = Precision::float32)
      : rows_(rows), columns_(columns) {
    if (std::is_same_v<T, float> && precision == Precision::bfloat16 && columns <= longest_packed_row) {
      panels_ = workspace.take<bfloat16>(simd::bf16::packed_a_size(rows, columns));
    } else {
      view_ = workspace.matrix<T>(rows, columns);
    }
  }
  /// Memory of the caller's, for operands that backward() reads again.
  explicit Operand(TensorView<T, 2> rows) : view_(rows), rows_(rows.extent(0)), columns_(rows.extent(1)) {}

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index columns() const { return columns_; }
  /// (rows, columns), row-major; empty when packed.
  [[nodiscard]] TensorView<T, 2> view() const { return view_; }
  /// Packed bfloat16, or nullptr: the operand is rows.
  [[nodiscard]] bfloat16* panels() const { return panels_; }

  /// Writes row r: fill(T* row) stores all columns.
  template <class F>
  void write_row(Index r, F&& fill) const {
    if (panels_ == nullptr) return fill(view_[r].data());
    if constexpr (std::is_same_v<T, float>) {
      alignas(64) float row[longest_packed_row];
      fill(row);
      simd::bf16_gemm_kernels()->pack_row(row, columns_, panels_ + simd::bf16::a_offset(r, 0, columns_));
    }
  }

  /// write_row() packs from the stack: wider operands stay rows, which every product takes.
  static constexpr Index longest_packed_row = 4096;

 private:
  TensorView<T, 2> view_;
  bfloat16* panels_ = nullptr;
  Index rows_ = 0;
  Index columns_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::ops
