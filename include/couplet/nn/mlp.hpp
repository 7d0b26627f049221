#pragma once
/// The two-layer perceptron of a transformer block: c_proj(activation(c_fc(x))).
#include "couplet/nn/linear.hpp"
#include "couplet/nn/module.hpp"
#include "couplet/ops/activation.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class Mlp {
 public:
  /// The hidden layer before its activation; the activation itself is computed again in backward().
  struct Saved {
    Tensor<T, 2> preactivation;  // (R, F)
    void resize(Index rows, Index hidden) { preactivation.resize({rows, hidden}); }
    template <class F>
    void visit_tensors(F&& f) {
      f(preactivation);
    }
  };

  /// The weights as products read them.
  struct Packed {
    ops::PackedFactor<T> c_fc, c_proj;
  };

  Mlp() = default;
  Mlp(Index width, Index hidden, Activation kind) : c_fc(width, hidden), c_proj(hidden, width), activation(kind) {}

  [[nodiscard]] Index hidden() const { return c_fc.bias.size(); }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    c_fc.prepare(precision, packing);
    c_proj.prepare(precision, packing);
  }
  /// Of its products, and so of the operand that forward() likes best.
  [[nodiscard]] Precision precision() const { return c_fc.precision(); }

  [[nodiscard]] Packed packed(Workspace& workspace) const { return {c_fc.packed(workspace), c_proj.packed(workspace)}; }

  /// x: (R, C)   y: (R, C), the residual stream, is added to.
  void forward(const ops::Operand<T>& x, TensorView<T, 2> y, Workspace& workspace, Saved* saved,
               Index first_row = 0) const {
    Workspace::Scope scope(workspace);
    forward(packed(workspace), x, y, workspace, saved, first_row);
  }
  void forward(const Packed& weights, const ops::Operand<T>& x, TensorView<T, 2> y, Workspace& workspace, Saved* saved,
               Index first_row) const {
    Workspace::Scope scope(workspace);
    const ops::Operand<T> h(workspace, x.rows(), hidden(), precision());
    ops::Epilogue<T> epilogue{.activation = activation};
    if (saved != nullptr) epilogue.preactivation = saved->preactivation.view().slice(first_row, first_row + x.rows());
    c_fc.forward(weights.c_fc, x, epilogue, h, workspace);
    c_proj.forward(weights.c_proj, h, {.accumulate = true}, ops::Operand<T>(y), workspace);
  }

  /// dy: (R, C)   x: (R, C), the input of forward()   dx: (R, C), assigned.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<T, 2> dx, Workspace& workspace,
                const Saved& saved) {
    Workspace::Scope scope(workspace);
    const TensorView<T, 2> h = workspace.matrix<T>(x.extent(0), hidden());
    ops::activation_forward<T>(activation, saved.preactivation.view(), h);
    c_proj.backward_parameters(dy, h, workspace);
    const TensorView<T, 2> dh = h;  // in its place
    c_proj.backward_input(dy, dh, workspace);
    ops::activation_backward<T>(activation, saved.preactivation.view(), dh, dh);
    c_fc.backward(dh, x, dx, workspace);
  }

  template <class F>
  void visit_parameters(F&& f) {
    visit_child("c_fc.", c_fc, f);
    visit_child("c_proj.", c_proj, f);
  }

  Linear<T> c_fc, c_proj;
  Activation activation = Activation::gelu;
};

}  // namespace couplet::inline COUPLET_ABI::nn
