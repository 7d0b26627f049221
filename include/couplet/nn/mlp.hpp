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
  };

  Mlp() = default;
  Mlp(Index width, Index hidden, Activation kind) : c_fc(width, hidden), c_proj(hidden, width), activation(kind) {}

  [[nodiscard]] Index hidden() const { return c_fc.bias.size(); }

  void prepare(Precision precision = Precision::float32) {
    c_fc.prepare(precision);
    c_proj.prepare(precision);
  }
  /// Of its products, and so of the operand that forward() likes best.
  [[nodiscard]] Precision precision() const { return c_fc.precision(); }

  /// x: (R, C)   y: (R, C), the residual stream, is added to.
  void forward(const ops::Operand<T>& x, TensorView<T, 2> y, Workspace& workspace, Saved* saved,
               Index first_row = 0) const {
    Workspace::Scope scope(workspace);
    const ops::Operand<T> h(workspace, x.rows(), hidden(), precision());
    ops::Epilogue<T> epilogue{.activation = activation};
    if (saved != nullptr) epilogue.preactivation = saved->preactivation.view().slice(first_row, first_row + x.rows());
    c_fc.forward(x, epilogue, h, workspace);
    c_proj.forward(h, {.accumulate = true}, y, workspace);
  }

  /// dy: (R, C)   x: (R, C), the input of forward()   dx: (R, C), assigned.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<T, 2> dx, Workspace& workspace,
                const Saved& saved) {
    Workspace::Scope scope(workspace);
    const TensorView<T, 2> h = workspace.matrix<T>(x.extent(0), hidden());
    ops::activation_forward<T>(activation, saved.preactivation.view(), h);
    const TensorView<T, 2> dh = workspace.matrix<T>(x.extent(0), hidden());
    c_proj.backward(dy, h, dh, workspace);
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
