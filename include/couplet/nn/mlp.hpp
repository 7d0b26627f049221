#pragma once
/// The two-layer perceptron of a transformer block: c_proj(activation(c_fc(x))), or EVA02's, with a gate and a norm:
/// c_proj(ln(silu(c_gate(x)) c_fc(x))). Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202.
#include "couplet/nn/layer_norm.hpp"
#include "couplet/nn/linear.hpp"
#include "couplet/nn/module.hpp"
#include "couplet/ops/activation.hpp"
#include "couplet/ops/gate.hpp"
#include "couplet/ops/residual.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class Mlp {
 public:
  /// The hidden layer before its activation; the activation itself is computed again in backward().
  struct Saved {
    Tensor<T, 2> preactivation;  // (R, F), with a gate of the gate
    Tensor<T, 2> gated;          // (R, F), with a gate: what it lets pass
    typename LayerNorm<T>::Saved ln;
    void resize(const Mlp& mlp, Index rows) {
      preactivation.resize({rows, mlp.hidden()});
      if (!mlp.has_gate()) return;
      gated.resize({rows, mlp.hidden()});
      ln.resize(rows);
    }
    template <class F>
    void visit_tensors(F&& f) {
      f(preactivation);
      f(gated);
    }
  };

  /// The weights as products read them.
  struct Packed {
    ops::PackedFactor<T> c_fc, c_proj, c_gate;
  };

  Mlp() = default;
  Mlp(Index width, Index hidden, Activation kind) : c_fc(width, hidden), c_proj(hidden, width), activation(kind) {}

  /// Makes it EVA02's.
  void set_gate(double eps) {
    c_gate = Linear<T>(c_fc.weight.shape[1], hidden());
    ln = LayerNorm<T>(hidden(), eps);
    activation = Activation::silu;
  }
  [[nodiscard]] bool has_gate() const { return c_gate.weight.size() > 0; }
  [[nodiscard]] Index hidden() const { return c_fc.bias.size(); }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    c_fc.prepare(precision, packing);
    c_proj.prepare(precision, packing);
    if (has_gate()) c_gate.prepare(precision, packing);
  }
  /// Of its products, and so of the operand that forward() likes best.
  [[nodiscard]] Precision precision() const { return c_fc.precision(); }

  [[nodiscard]] Packed packed(Workspace& workspace) const {
    Packed weights{c_fc.packed(workspace), c_proj.packed(workspace), {}};
    if (has_gate()) weights.c_gate = c_gate.packed(workspace);
    return weights;
  }

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
    if (has_gate()) {
      forward_gate(weights, x, epilogue, h, workspace, saved, first_row);
    } else {
      c_fc.forward(weights.c_fc, x, epilogue, h, workspace);
    }
    c_proj.forward(weights.c_proj, h, {.accumulate = true}, ops::Operand<T>(y), workspace);
  }

  /// dy: (R, C)   x: (R, C), the input of forward()   dx: (R, C), assigned.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<T, 2> dx, Workspace& workspace,
                const Saved& saved) {
    Workspace::Scope scope(workspace);
    if (has_gate()) return backward_gate(dy, x, dx, workspace, saved);
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
    if (has_gate()) visit_child("c_gate.", c_gate, f);
    visit_child("c_fc.", c_fc, f);
    if (has_gate()) visit_child("ln.", ln, f);
    visit_child("c_proj.", c_proj, f);
  }

  Linear<T> c_fc, c_proj;
  Linear<T> c_gate;  ///< EVA02
  LayerNorm<T> ln;   ///< EVA02
  Activation activation = Activation::gelu;

 private:
  /// h = ln(silu(c_gate(x)) c_fc(x))
  void forward_gate(const Packed& weights, const ops::Operand<T>& x, const ops::Epilogue<T>& epilogue,
                    const ops::Operand<T>& h, Workspace& workspace, Saved* saved, Index first_row) const {
    const Workspace::Scope scope(workspace);
    const TensorView<T, 2> gate = workspace.matrix<T>(x.rows(), hidden());
    const TensorView<T, 2> gated = saved != nullptr ? saved->gated.view().slice(first_row, first_row + x.rows())
                                                    : workspace.matrix<T>(x.rows(), hidden());
    c_gate.forward(weights.c_gate, x, epilogue, ops::Operand<T>(gate), workspace);
    c_fc.forward(weights.c_fc, x, {}, ops::Operand<T>(gated), workspace);
    ops::gate_forward<T>(gate, gated, gate);
    ln.forward(gate, h, saved != nullptr ? &saved->ln : nullptr, first_row);
  }

  void backward_gate(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<T, 2> dx, Workspace& workspace,
                     const Saved& saved) {
    const Index rows = x.extent(0);
    const TensorView<T, 2> gate = workspace.matrix<T>(rows, hidden());
    const TensorView<T, 2> product = workspace.matrix<T>(rows, hidden());
    const TensorView<T, 2> h = workspace.matrix<T>(rows, hidden());
    ops::activation_forward<T>(activation, saved.preactivation.view(), gate);
    ops::gate_forward<T>(gate, saved.gated.view(), product);
    ln.forward(product, ops::Operand<T>(h));
    c_proj.backward_parameters(dy, h, workspace);
    const TensorView<T, 2> dproduct = workspace.matrix<T>(rows, hidden());
    c_proj.backward_input(dy, h, workspace);  // h holds its own gradient now
    ln.backward(h, product, saved.ln, dproduct, false);
    const TensorView<T, 2> dgate = product;  // in their places
    const TensorView<T, 2> dgated = gate;
    ops::gate_backward<T>(dproduct, gate, saved.gated.view(), dgate, dgated);
    ops::activation_backward<T>(activation, saved.preactivation.view(), dgate, dgate);
    c_gate.backward(dgate, x, dx, workspace);
    const TensorView<T, 2> dx_of_gated = workspace.matrix<T>(rows, dx.extent(1));
    c_fc.backward(dgated, x, dx_of_gated, workspace);
    ops::residual_add<T>(dx_of_gated, dx);
  }
};

}  // namespace couplet::inline COUPLET_ABI::nn
