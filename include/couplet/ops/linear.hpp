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

/// When weights are brought into the form that products read.
enum class Packing {
  kept,    ///< once, and kept until they change: inference
  at_use,  ///< by each pass that reads them, in its workspace: training, where they change after every pass
  only     ///< once, and the weights themselves are given up: inference in half the memory
};

/// The packed form of a weight, or the knowledge that it is packed at use. Packing again reuses the memory.
template <class T>
class PackedWeight {
 public:
  /// weight: (outputs, inputs), for x W^T. Products of float run in bfloat16 where that is asked for and this machine
  /// has it.
  void pack(TensorView<const T, 2> weight, Precision precision = Precision::float32, Packing packing = Packing::kept) {
    prepared_ = true;
    if (packing == Packing::at_use) {
      memory_.release();
      form_ = {};
    } else if constexpr (std::is_same_v<T, float>) {
      form_ = PackedFactor<T>({weight, true}, precision, *this);
    } else {
      const TensorView<T, 2> copied(take<T>(weight.size()), weight.extents());
      copy(weight, copied);
      form_ = PackedFactor<T>({copied, true}, precision, *this);
    }
    precision_ = effective_precision(precision);
  }

  /// pack() has not been called.
  [[nodiscard]] bool empty() const { return !prepared_; }
  /// In which products with it run.
  [[nodiscard]] Precision precision() const { return precision_; }
  [[nodiscard]] Packing packing() const { return form_.empty() ? Packing::at_use : Packing::kept; }
  /// The form that pack() would make is there.
  [[nodiscard]] bool holds(Precision precision) const {
    return !form_.empty() && precision_ == effective_precision(precision);
  }

  /// The packed form: what is kept, or what `weight()` gives, (outputs, inputs), packed now in the workspace.
  template <class Weight>
  [[nodiscard]] PackedFactor<T> factor(const Weight& weight, Workspace& workspace) const {
    if (!form_.empty()) return factor();
    return PackedFactor<T>({weight(), true}, precision_, workspace);
  }
  /// What is kept.
  [[nodiscard]] PackedFactor<T> factor() const { return form_.empty() ? form_ : form_.at(memory_.data()); }

  /// Where its form takes memory from.
  template <class Element>
  [[nodiscard]] Element* take(Index count) {
    memory_.resize(checked_multiply(count, static_cast<Index>(sizeof(Element))));
    return reinterpret_cast<Element*>(memory_.data());
  }

 private:
  static Precision effective_precision(Precision precision) {
    return std::is_same_v<T, float> ? simd::effective_precision(precision) : Precision::float32;
  }

  AlignedBuffer<std::byte> memory_;
  PackedFactor<T> form_;  // of memory_ where it lay when it was packed
  Precision precision_ = Precision::float32;
  bool prepared_ = false;
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
void check_linear_forward(const Operand<T>& x, const PackedFactor<T>& weight, const Epilogue<T>& epilogue,
                          const Operand<T>& y) {
  if (weight.empty()) fail("linear", "the weight has not been packed");
  const Shape shape{y.rows(), y.columns()};
  if (x.columns() != weight.rows() || y.rows() != x.rows() || y.columns() != weight.columns()) {
    fail("linear", "shapes do not fit: x " + to_string(Shape{x.rows(), x.columns()}) + ", weight " +
                       to_string(Shape{weight.columns(), weight.rows()}) + ", y " + to_string(shape));
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

/// The definition, element by element. weight: (K, N)
template <class T>
void linear_forward_reference(TensorView<const T, 2> x, const Factor<T>& weight, const Epilogue<T>& epilogue,
                              TensorView<T, 2> y) {
  parallel_for(x.extent(0), [&](Index r) {
    for (Index n = 0; n < weight.columns(); ++n) {
      T z = 0;
      for (Index k = 0; k < weight.rows(); ++k) z += x(r, k) * weight(k, n);
      if (epilogue.bias != nullptr) z += epilogue.bias[n];
      if (epilogue.preactivation.data() != nullptr) epilogue.preactivation(r, n) = z;
      const T value = activation(epilogue.activation, z);
      y(r, n) = epilogue.accumulate ? y(r, n) + value : value;
    }
  });
}

/// The kernels sum in C: in y itself where that is possible, else in the preactivation.
inline void linear_forward_kernels(TensorView<const float, 2> x, const PackedFactor<float>& weight,
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
inline void linear_forward_bf16(const Operand<float>& x, const PackedFactor<float>& weight,
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

/// y = f(x W^T + b), or y += f(x W^T + b).   x: (R, K); weight: W^T (K, N) packed; y: (R, N), not overlapping x.
template <class T>
void linear_forward(const Operand<T>& x, const PackedFactor<T>& weight, const Epilogue<T>& epilogue,
                    const Operand<T>& y, Workspace& workspace) {
  detail::check_linear_forward(x, weight, epilogue, y);
  if constexpr (std::is_same_v<T, float>) {
    if (weight.precision() == Precision::bfloat16) {
      return detail::linear_forward_bf16(x, weight, epilogue, y, workspace);
    }
    detail::linear_forward_kernels(x.view(), weight, epilogue, y.view(), workspace);
  } else {
    detail::linear_forward_reference<T>(x.view(), weight.factor(), epilogue, y.view());
  }
}

/// The same into rows.
template <class T>
void linear_forward(const Operand<T>& x, const PackedFactor<T>& weight, const Epilogue<T>& epilogue, TensorView<T, 2> y,
                    Workspace& workspace) {
  linear_forward(x, weight, epilogue, Operand<T>(y), workspace);
}
/// The same with a weight that keeps its packed form.
template <class T>
void linear_forward(const Operand<T>& x, const PackedWeight<T>& weight, const Epilogue<T>& epilogue, TensorView<T, 2> y,
                    Workspace& workspace) {
  linear_forward(x, weight.factor(), epilogue, Operand<T>(y), workspace);
}
template <class T>
void linear_forward(const Operand<T>& x, const PackedWeight<T>& weight, const Epilogue<T>& epilogue,
                    const Operand<T>& y, Workspace& workspace) {
  linear_forward(x, weight.factor(), epilogue, y, workspace);
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
