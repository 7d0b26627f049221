#pragma once
/// SigLIP's attention-pool head (multi-head attention pooling, MAP): a learned probe asks all tokens of an image.
///   h = attn(q = probe, k = v = tokens);  y = h + mlp(ln(h))
/// Zhai et al., "Scaling Vision Transformers", 2021, section 3.1; Hugging Face SiglipMultiheadAttentionPoolingHead.
#include "couplet/nn/layer_norm.hpp"
#include "couplet/nn/mlp.hpp"
#include "couplet/nn/multihead_attention.hpp"
#include "couplet/nn/row_blocks.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class AttentionPool {
 public:
  struct Saved {
    typename MultiheadAttention<T>::Saved attn;
    Tensor<T, 2> h;  // (B, C), what the attention gave
    typename LayerNorm<T>::Saved ln;
    typename Mlp<T>::Saved mlp;
  };

  AttentionPool() = default;
  AttentionPool(Index width, Index heads, Index mlp_width, Activation activation, double eps)
      : probe(Shape{1, 1, width}), attn(width, heads), ln(width, eps), mlp(width, mlp_width, activation) {}

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    attn.prepare(precision, packing);
    mlp.prepare(precision, packing);
  }

  /// x: (R, C), the tokens   y: (sequences, C), assigned.
  void forward(const ops::Operand<T>& x, const Sequences& sequences, TensorView<T, 2> y, Workspace& workspace,
               Saved* saved) const {
    Workspace::Scope scope(workspace);
    const Index n = sequences.count();
    const Index c = attn.width();
    const ops::Operand<T> queries(workspace, n, c);
    repeat_row(probe.vector(), queries.view());
    if (saved != nullptr) {
      saved->attn.resize(n, x.rows(), c, attn.heads());
      saved->h.resize({n, c});
      saved->ln.resize(n);
      saved->mlp.resize(mlp, n);
    }
    for (Index i = 0; i < n; ++i) std::fill_n(y[i].data(), c, T(0));
    attn.forward(queries, one_row_each(n, workspace), x, sequences, false, y, workspace,
                 saved != nullptr ? &saved->attn : nullptr);
    if (saved != nullptr) copy(TensorView<const T, 2>(y), saved->h.view());
    const ops::Operand<T> normalized(workspace, n, c, mlp.precision());
    ln.forward(y, normalized, saved != nullptr ? &saved->ln : nullptr);
    mlp.forward(normalized, y, workspace, saved != nullptr ? &saved->mlp : nullptr);
  }

  /// dy: (sequences, C), overwritten   x: (R, C), the input of forward()   dx: (R, C), assigned.
  void backward(TensorView<T, 2> dy, TensorView<const T, 2> x, const Sequences& sequences, TensorView<T, 2> dx,
                Workspace& workspace, const Saved& saved) {
    Workspace::Scope scope(workspace);
    const Index n = dy.extent(0);
    const Index c = dy.extent(1);
    const TensorView<T, 2> a = workspace.matrix<T>(n, c);
    const TensorView<T, 2> da = workspace.matrix<T>(n, c);
    ln.forward(saved.h.view(), ops::Operand<T>(a));
    mlp.backward(dy, a, da, workspace, saved.mlp);
    ln.backward(da, saved.h.view(), saved.ln, dy, true);
    repeat_row(std::as_const(probe).vector(), a);
    attn.backward(dy, a, one_row_each(n, workspace), x, sequences, false, da, dx, workspace, saved.attn);
    if (probe.trainable) ops::linear_backward_bias<T>(da, probe.grad_vector());  // the probe is in every row
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("probe", probe);
    visit_child("attn.", attn, f);
    visit_child("ln.", ln, f);
    visit_child("mlp.", mlp, f);
  }

  Parameter<T> probe;  ///< (1, 1, C)
  MultiheadAttention<T> attn;
  LayerNorm<T> ln;
  Mlp<T> mlp;
};

}  // namespace couplet::inline COUPLET_ABI::nn
