#pragma once
/// A matrix in the form the next product reads.
///
/// Normalisations, attention and the epilogues of products write operands, so that a value goes from one product to the
/// next without a detour. Today the form is row-major for float and double alike (the float32 product packs a block of
/// rows into panels as it goes); packed bfloat16 tiles are the second form and belong to the amx level.
#include "couplet/core/tensor.hpp"
#include "couplet/core/workspace.hpp"

namespace couplet::inline COUPLET_ABI::ops {

template <class T>
class Operand {
 public:
  /// Scratch memory for (rows, columns), valid as long as the workspace's scope.
  Operand(Workspace& workspace, Index rows, Index columns) : rows_(workspace.matrix<T>(rows, columns)) {}
  /// Memory of the caller's, for operands that backward() reads again.
  explicit Operand(TensorView<T, 2> rows) : rows_(rows) {}

  [[nodiscard]] Index rows() const { return rows_.extent(0); }
  [[nodiscard]] Index columns() const { return rows_.extent(1); }
  /// (rows, columns), row-major.
  [[nodiscard]] TensorView<T, 2> view() const { return rows_; }

 private:
  TensorView<T, 2> rows_;
};

}  // namespace couplet::inline COUPLET_ABI::ops
