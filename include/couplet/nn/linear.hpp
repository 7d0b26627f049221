#pragma once
/// Linear: y = x W^T + b, as torch.nn.Linear.
#include <string>
#include <string_view>

#include "couplet/nn/prepare_weight.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class Linear {
 public:
  Linear() = default;
  Linear(Index in_features, Index out_features, bool with_bias = true) : weight(Shape{out_features, in_features}) {
    if (with_bias) bias.reshape(Shape{out_features});
  }

  /// Brings the weight into the form that forward() reads: after loading and, where that form is kept, whenever the
  /// weight has changed.
  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    prepare_weight(weight, packed_, precision, packing);
  }
  /// Of the products: what prepare() was asked for, where this machine has it.
  [[nodiscard]] Precision precision() const { return packed_.precision(); }

  /// x: (R, in)   y: (R, out), assigned or, with epilogue.accumulate, added to. The bias is this layer's own.
  void forward(const ops::Operand<T>& x, ops::Epilogue<T> epilogue, const ops::Operand<T>& y,
               Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    forward(packed(workspace), x, epilogue, y, workspace);
  }
  void forward(const ops::Operand<T>& x, const ops::Epilogue<T>& epilogue, TensorView<T, 2> y,
               Workspace& workspace) const {
    forward(x, epilogue, ops::Operand<T>(y), workspace);
  }

  /// The weight as products read it: what is kept, or packed now in the workspace.
  [[nodiscard]] ops::PackedFactor<T> packed(Workspace& workspace) const {
    if (packed_.empty()) fail("linear", "prepare() was not called after the weight was set");
    return packed_.factor([&] { return weight.matrix(); }, workspace);
  }
  /// forward() with a weight that was packed before.
  void forward(const ops::PackedFactor<T>& packed_weight, const ops::Operand<T>& x, ops::Epilogue<T> epilogue,
               const ops::Operand<T>& y, Workspace& workspace) const {
    epilogue.bias = bias.size() > 0 ? bias.value.data() : nullptr;
    ops::linear_forward(x, packed_weight, epilogue, y, workspace);
  }

  /// dy: (R, out)   x: (R, in), the input of forward()   dx: (R, in), assigned; an empty view when nobody asks for it.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<T, 2> dx, Workspace& workspace) {
    if (dx.data() != nullptr) backward_input(dy, dx, workspace);
    backward_parameters(dy, x, workspace);
  }
  /// The two halves of backward().
  void backward_input(TensorView<const T, 2> dy, TensorView<T, 2> dx, Workspace& workspace) const {
    ops::linear_backward_input(dy, weight.matrix(), dx, workspace, precision());
  }
  void backward_parameters(TensorView<const T, 2> dy, TensorView<const T, 2> x, Workspace& workspace) {
    if (weight.trainable) ops::linear_backward_weight(dy, x, weight.grad_matrix(), workspace, precision());
    if (bias.size() > 0 && bias.trainable) ops::linear_backward_bias(dy, bias.grad_vector());
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("weight", weight);
    if (bias.size() > 0) f("bias", bias);
  }

  Parameter<T> weight;  ///< (out, in)
  Parameter<T> bias;    ///< (out), or empty

 private:
  ops::PackedWeight<T> packed_;
};

}  // namespace couplet::inline COUPLET_ABI::nn
