#pragma once
/// Linear layers: y = f(x W^T + b), with the weight (N, K) as PyTorch keeps it.
///
///   forward          z = x W^T + b,  y = f(z) or y += f(z)       x (R, K), W (N, K), b (N), y (R, N)
///   backward         dx = dz W,  dW += dz^T x,  db += sum over rows of dz
/// where dz = dy f'(z) is the activation's own backward pass (ops/activation.hpp) on the saved preactivation z.
/// The weight's gradient adds rows in order from row 0, 256 at a time (simd/gemm.hpp).
/// Products of float run in the precision that the weight was packed for, the backward ones in the one they are given.
#include <algorithm>
#include <array>

#include "couplet/ops/activation.hpp"
#include "couplet/ops/operand.hpp"
#include "couplet/ops/packed_factor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// A weight in the form that linear_forward reads. Packing again reuses the memory.
template <class T>
class PackedWeight {
 public:
  /// weight: (outputs, inputs), for x W^T. The precision is one of float's.
  void pack(TensorView<const T, 2> weight, Precision = Precision::float32) {
    matrix_.resize({weight.extent(1), weight.extent(0)});
    for (Index i = 0; i < weight.extent(1); ++i) {
      for (Index j = 0; j < weight.extent(0); ++j) matrix_(i, j) = weight(j, i);
    }
    packed_ = true;
  }

  [[nodiscard]] Index inputs() const { return matrix_.extent(0); }
  [[nodiscard]] Index outputs() const { return matrix_.extent(1); }
  /// Nothing has been packed yet.
  [[nodiscard]] bool empty() const { return !packed_; }
  /// In which products with it run.
  [[nodiscard]] Precision precision() const { return Precision::float32; }

  /// (inputs, outputs)
  [[nodiscard]] TensorView<const T, 2> matrix() const { return matrix_.view(); }

 private:
  Tensor<T, 2> matrix_;
  bool packed_ = false;
};

/// The panels of the instruction-set level that was active when the weight was packed; products with it run on that
/// level.
template <>
class PackedWeight<float> {
 public:
  /// bfloat16 where this machine has it, else float32.
  void pack(TensorView<const float, 2> weight, Precision precision = Precision::float32) {
    const Factor<float> b{weight, true};
    inputs_ = b.rows();
    outputs_ = b.columns();
    kernels_ = &simd::gemm_kernels();
    bf16_kernels_ = precision == Precision::bfloat16 ? simd::bf16_gemm_kernels() : nullptr;
    if (bf16_kernels_ != nullptr) {
      panels_.release();
      bf16_panels_.resize(simd::bf16::packed_b_size(inputs_, outputs_));
      detail::pack_b_bf16(*bf16_kernels_, b, bf16_panels_.data());
    } else {
      bf16_panels_.release();
      panels_.resize(kernels_->packed_size(inputs_, outputs_));
      detail::pack_panels(*kernels_, b, panels_.data());
    }
  }

  [[nodiscard]] Index inputs() const { return inputs_; }
  [[nodiscard]] Index outputs() const { return outputs_; }
  [[nodiscard]] bool empty() const { return kernels_ == nullptr; }
  [[nodiscard]] Precision precision() const {
    return bf16_kernels_ != nullptr ? Precision::bfloat16 : Precision::float32;
  }

  [[nodiscard]] const simd::GemmKernels& kernels() const { return *kernels_; }
  [[nodiscard]] const float* panels() const { return panels_.data(); }
  /// When precision() is bfloat16.
  [[nodiscard]] const simd::Bf16GemmKernels& bf16_kernels() const { return *bf16_kernels_; }
  [[nodiscard]] const bfloat16* bf16_panels() const { return bf16_panels_.data(); }

 private:
  AlignedBuffer<float> panels_;
  AlignedBuffer<bfloat16> bf16_panels_;
  const simd::GemmKernels* kernels_ = nullptr;
  const simd::Bf16GemmKernels* bf16_kernels_ = nullptr;
  Index inputs_ = 0;
  Index outputs_ = 0;
};

/// What happens to the product before it is stored.
template <class T>
struct Epilogue {
  const T* bias = nullptr;  ///< (N), or none
  Activation activation = Activation::identity;
  TensorView<T, 2> preactivation{};  ///< when it has memory: (R, N), receives x W^T + b
  bool accumulate = false;           ///< y += f(x W^T + b): the residual stream
};

namespace detail {

template <class T>
void check_linear_forward(const Operand<T>& x, const PackedWeight<T>& weight, const Epilogue<T>& epilogue,
                          const Operand<T>& y) {
  if (weight.empty()) fail("linear", "the weight has not been packed");
  const Shape shape{y.rows(), y.columns()};
  if (x.columns() != weight.inputs() || y.rows() != x.rows() || y.columns() != weight.outputs()) {
    fail("linear", "shapes do not fit: x " + to_string(Shape{x.rows(), x.columns()}) + ", weight " +
                       to_string(Shape{weight.outputs(), weight.inputs()}) + ", y " + to_string(shape));
  }
  if (epilogue.preactivation.data() != nullptr && epilogue.preactivation.shape() != shape) {
    fail("linear",
         "shapes differ: " + shapes_text("preactivation", epilogue.preactivation) + ", y " + to_string(shape));
  }
  const bool float32 = weight.precision() == Precision::float32;
  if (float32 && (x.panels() != nullptr || y.panels() != nullptr)) {
    fail("linear", "the weight is packed for float32, an operand for bfloat16");
  }
  if (epilogue.accumulate && y.panels() != nullptr) fail("linear", "a packed operand cannot be added to");
}

/// The definition, element by element.
template <class T>
void linear_forward_reference(TensorView<const T, 2> x, TensorView<const T, 2> weight, const Epilogue<T>& epilogue,
                              TensorView<T, 2> y) {
  parallel_for(x.extent(0), [&](Index r) {
    for (Index n = 0; n < weight.extent(1); ++n) {
      T z = 0;
      for (Index k = 0; k < weight.extent(0); ++k) z += x(r, k) * weight(k, n);
      if (epilogue.bias != nullptr) z += epilogue.bias[n];
      if (epilogue.preactivation.data() != nullptr) epilogue.preactivation(r, n) = z;
      const T value = activation(epilogue.activation, z);
      y(r, n) = epilogue.accumulate ? y(r, n) + value : value;
    }
  });
}

/// The kernels sum in C: in y itself where that is possible, else in the preactivation.
inline void linear_forward_kernels(TensorView<const float, 2> x, const PackedWeight<float>& weight,
                                   const Epilogue<float>& epilogue, TensorView<float, 2> y, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  simd::GemmEpilogue finish{.bias = epilogue.bias, .activation = epilogue.activation};
  TensorView<float, 2> sums = y;
  bool accumulate = epilogue.accumulate;
  const bool keep = epilogue.preactivation.data() != nullptr;
  if (keep || (accumulate && epilogue.activation != Activation::identity)) {
    sums = keep ? epilogue.preactivation : workspace.matrix<float>(y.extent(0), y.extent(1));
    finish.y = y.data();
    finish.y_stride = y.stride(0);
    finish.accumulate = accumulate;
    accumulate = false;
  }
  multiply_packed(weight.kernels(), {x}, weight.panels(), sums, accumulate, finish, workspace);
}

/// Rows of x are packed on the way; y may be rows or the packed operand of the next product.
inline void linear_forward_bf16(const Operand<float>& x, const PackedWeight<float>& weight,
                                const Epilogue<float>& epilogue, const Operand<float>& y, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const bfloat16* a = x.panels();
  if (a == nullptr) {
    bfloat16* const panels = workspace.take<bfloat16>(simd::bf16::packed_a_size(x.rows(), x.columns()));
    pack_a_bf16(weight.bf16_kernels(), {x.view()}, panels);
    a = panels;
  }
  simd::Bf16Epilogue finish{.bias = epilogue.bias, .activation = epilogue.activation};
  finish.preactivation = epilogue.preactivation.data();
  finish.preactivation_stride = epilogue.preactivation.stride(0);
  finish.y = y.view().data();
  finish.y_stride = y.view().stride(0);
  finish.accumulate = epilogue.accumulate;
  finish.operand = y.panels();
  finish.operand_depth = y.columns();
  multiply_packed(weight.bf16_kernels(), x.rows(), y.columns(), x.columns(), a, weight.bf16_panels(), finish,
                  workspace);
}

}  // namespace detail

/// y = f(x W^T + b), or y += f(x W^T + b).   x: (R, K); weight: (N, K) packed; y: (R, N), not overlapping x.
template <class T>
void linear_forward(const Operand<T>& x, const PackedWeight<T>& weight, const Epilogue<T>& epilogue,
                    const Operand<T>& y, Workspace& workspace) {
  detail::check_linear_forward(x, weight, epilogue, y);
  if constexpr (std::is_same_v<T, float>) {
    if (weight.precision() == Precision::bfloat16) {
      return detail::linear_forward_bf16(x, weight, epilogue, y, workspace);
    }
    detail::linear_forward_kernels(x.view(), weight, epilogue, y.view(), workspace);
  } else {
    detail::linear_forward_reference<T>(x.view(), weight.matrix(), epilogue, y.view());
  }
}

/// The same into rows.
template <class T>
void linear_forward(const Operand<T>& x, const PackedWeight<T>& weight, const Epilogue<T>& epilogue, TensorView<T, 2> y,
                    Workspace& workspace) {
  linear_forward(x, weight, epilogue, Operand<T>(y), workspace);
}

/// dx = dy W, assigned.   dy: (R, N); weight: (N, K); dx: (R, K).
template <class T>
void linear_backward_input(TensorView<const T, 2> dy, TensorView<const T, 2> weight, TensorView<T, 2> dx,
                           Workspace& workspace, Precision precision = Precision::float32) {
  if (dy.extent(1) != weight.extent(0) || dx.extent(0) != dy.extent(0) || dx.extent(1) != weight.extent(1)) {
    fail("linear backward", "shapes do not fit: " + shapes_text("dy", dy, "weight", weight, "dx", dx));
  }
  multiply<T>({dy}, {weight}, dx, false, precision, workspace);
}

/// dW += dy^T x.   dy: (R, N); x: (R, K); dweight: (N, K).
template <class T>
void linear_backward_weight(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<T, 2> dweight,
                            Workspace& workspace, Precision precision = Precision::float32) {
  if (dy.extent(0) != x.extent(0) || dweight.extent(0) != dy.extent(1) || dweight.extent(1) != x.extent(1)) {
    fail("linear backward", "shapes do not fit: " + shapes_text("dy", dy, "x", x, "dweight", dweight));
  }
  multiply<T>({dy, true}, {x}, dweight, true, precision, workspace);
}

/// db += the sum over rows of dy, 256 rows at a time in order.   dy: (R, N); dbias: (N).
template <class T>
void linear_backward_bias(TensorView<const T, 2> dy, TensorView<T, 1> dbias) {
  if (dbias.extent(0) != dy.extent(1)) {
    fail("linear backward", "shapes do not fit: " + shapes_text("dy", dy, "dbias", dbias));
  }
  constexpr Index width = 64;
  parallel_column_blocks(dy.extent(0), dy.extent(1), [&](Index begin, Index end) {
    for (Index first = begin; first < end; first += width) {
      const Index last = std::min(end, first + width);
      for (Index row = 0; row < dy.extent(0); row += rows_per_sum) {
        std::array<T, width> sums{};
        for (Index r = row; r < std::min(dy.extent(0), row + rows_per_sum); ++r) {
          for (Index c = first; c < last; ++c) sums[static_cast<std::size_t>(c - first)] += dy(r, c);
        }
        for (Index c = first; c < last; ++c) dbias[c] += sums[static_cast<std::size_t>(c - first)];
      }
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
