#pragma once
/// One pre-norm transformer block: x += ls_1 attn(ln_1(x)); x += ls_2 mlp(ln_2(x)), without factors where the model has
/// no LayerScale.
///
/// The last block of a tower that is pooled from one token per sequence computes queries, norms and MLP for that token
/// alone (forward_pooled); keys and values still come from every row, so the result is exact.
#include "couplet/nn/layer_norm.hpp"
#include "couplet/nn/layer_scale.hpp"
#include "couplet/nn/mlp.hpp"
#include "couplet/nn/multihead_attention.hpp"
#include "couplet/nn/row_blocks.hpp"
#include "couplet/ops/residual.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class ResidualAttentionBlock {
 public:
  /// R rows come in; Rq = R rows go out, or one per sequence when pooled.
  struct Saved {
    Tensor<T, 2> x;    // (R, C), what came in
    Tensor<T, 2> mid;  // (Rq, C), between attention and MLP
    typename LayerNorm<T>::Saved ln_1, ln_2;
    typename MultiheadAttention<T>::Saved attn;
    typename Mlp<T>::Saved mlp;
    typename LayerScale<T>::Saved ls_1, ls_2;
    void resize(const ResidualAttentionBlock& block, Index rows, Index query_rows) {
      const Index c = block.attn.width();
      x.resize({rows, c});
      mid.resize({query_rows, c});
      ln_1.resize(rows);
      ln_2.resize(query_rows);
      attn.resize(query_rows, rows, c, block.attn.heads());
      mlp.resize(block.mlp, query_rows);
      ls_1.resize(block.ls_1, query_rows);
      ls_2.resize(block.ls_2, query_rows);
    }
    /// The large ones: all but the statistics of the norms.
    template <class F>
    void visit_tensors(F&& f) {
      f(x);
      f(mid);
      attn.visit_tensors(f);
      mlp.visit_tensors(f);
      ls_1.visit_tensors(f);
      ls_2.visit_tensors(f);
    }
  };

  /// The weights as products read them.
  struct Packed {
    typename MultiheadAttention<T>::Packed attn;
    typename Mlp<T>::Packed mlp;
  };

  ResidualAttentionBlock() = default;
  ResidualAttentionBlock(Index width, Index heads, Index mlp_width, Activation activation, double eps,
                         bool layer_scale = false)
      : ln_1(width, eps), attn(width, heads), ln_2(width, eps), mlp(width, mlp_width, activation) {
    if (layer_scale) ls_1 = ls_2 = LayerScale<T>(width);
  }

  /// Makes it EVA02's: attention with rotary positions, a gated MLP, and a norm in both.
  void set_eva02(std::shared_ptr<const RotaryPositions<T>> positions, double eps) {
    attn.set_rotary(std::move(positions), eps);
    mlp.set_gate(eps);
  }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    attn.prepare(precision, packing);
    mlp.prepare(precision, packing);
  }
  /// What is kept, or packed now in the workspace.
  [[nodiscard]] Packed packed(Workspace& workspace) const { return {attn.packed(workspace), mlp.packed(workspace)}; }

  /// x: (R, C), the residual stream of a row block, changed in place.
  void forward(const Packed& weights, TensorView<T, 2> x, const RowBlock& block, bool causal, Workspace& workspace,
               Saved* saved) const {
    Workspace::Scope scope(workspace);
    const ops::Operand<T> a(workspace, x.extent(0), x.extent(1), attn.precision());
    normalize_input(x, block, a, saved);
    ls_1.add(x, workspace, saved != nullptr ? &saved->ls_1 : nullptr, block.first_row, [&](TensorView<T, 2> u) {
      attn.forward(weights.attn, a, block.sequences, a, block.sequences, causal, u, workspace,
                   saved != nullptr ? &saved->attn : nullptr, {block.first_row, block.first_row});
    });
    forward_mlp(weights.mlp, x, block.first_row, workspace, saved);
  }

  /// x: (R, C), read only   pooled_rows: for each sequence of the block the row of x that is kept; it must see every
  /// row of its sequence (the class token, or the last token of a causal text)   y: (sequences, C), assigned.
  void forward_pooled(const Packed& weights, TensorView<const T, 2> x, const RowBlock& block,
                      std::span<const Index> pooled_rows, TensorView<T, 2> y, Workspace& workspace,
                      Saved* saved) const {
    Workspace::Scope scope(workspace);
    const Index n = block.sequences.count();
    const ops::Operand<T> a(workspace, x.extent(0), x.extent(1), attn.precision());
    normalize_input(x, block, a, saved);
    gather_rows<T>(x, pooled_rows, y);
    const ops::Operand<T> aq(workspace, n, x.extent(1), attn.precision());
    ln_1.forward(y, aq);
    ls_1.add(y, workspace, saved != nullptr ? &saved->ls_1 : nullptr, block.first_sequence, [&](TensorView<T, 2> u) {
      attn.forward(weights.attn, aq, one_row_each(n, workspace), a, block.sequences, false, u, workspace,
                   saved != nullptr ? &saved->attn : nullptr, {block.first_sequence, block.first_row});
    });
    forward_mlp(weights.mlp, y, block.first_sequence, workspace, saved);
  }

  /// dx: (R, C), the gradient of the residual stream: of what went out before, of what came in afterwards.
  void backward(TensorView<T, 2> dx, const Sequences& sequences, bool causal, Workspace& workspace,
                const Saved& saved) {
    Workspace::Scope scope(workspace);
    const TensorView<T, 2> a = workspace.matrix<T>(dx.extent(0), dx.extent(1));
    const TensorView<T, 2> da = workspace.matrix<T>(dx.extent(0), dx.extent(1));
    const TensorView<T, 2> daq = workspace.matrix<T>(dx.extent(0), dx.extent(1));
    backward_mlp(dx, a, da, workspace, saved);
    ln_1.forward(saved.x.view(), ops::Operand<T>(a));
    const TensorView<const T, 2> dattn = ls_1.backward(dx, workspace, saved.ls_1);
    attn.backward(dattn, a, sequences, a, sequences, causal, daq, da, workspace, saved.attn);
    ops::residual_add<T>(daq, da);
    ln_1.backward(da, saved.x.view(), saved.ln_1, dx, true);
  }

  /// dy: (sequences, C), overwritten   dx: (R, C), assigned.
  void backward_pooled(TensorView<T, 2> dy, const Sequences& sequences, std::span<const Index> pooled_rows,
                       TensorView<T, 2> dx, Workspace& workspace, const Saved& saved) {
    Workspace::Scope scope(workspace);
    const Index n = dy.extent(0);
    const Index c = dy.extent(1);
    const TensorView<T, 2> aq = workspace.matrix<T>(n, c);
    const TensorView<T, 2> daq = workspace.matrix<T>(n, c);
    backward_mlp(dy, aq, daq, workspace, saved);
    const TensorView<T, 2> a = workspace.matrix<T>(dx.extent(0), c);
    const TensorView<T, 2> da = workspace.matrix<T>(dx.extent(0), c);
    ln_1.forward(saved.x.view(), ops::Operand<T>(a));
    gather_rows<T>(a, pooled_rows, aq);
    const TensorView<const T, 2> dattn = ls_1.backward(dy, workspace, saved.ls_1);
    attn.backward(dattn, aq, one_row_each(n, workspace), a, sequences, false, daq, da, workspace, saved.attn);
    scatter_add_rows<T>(daq, pooled_rows, da);
    ln_1.backward(da, saved.x.view(), saved.ln_1, dx, false);
    scatter_add_rows<T>(dy, pooled_rows, dx);
  }

  template <class F>
  void visit_parameters(F&& f) {
    visit_child("ln_1.", ln_1, f);
    visit_child("attn.", attn, f);
    visit_child("ls_1.", ls_1, f);
    visit_child("ln_2.", ln_2, f);
    visit_child("mlp.", mlp, f);
    visit_child("ls_2.", ls_2, f);
  }

  LayerNorm<T> ln_1;
  MultiheadAttention<T> attn;
  LayerNorm<T> ln_2;
  Mlp<T> mlp;
  LayerScale<T> ls_1, ls_2;  ///< of attention and MLP; empty without LayerScale

 private:
  void normalize_input(TensorView<const T, 2> x, const RowBlock& block, const ops::Operand<T>& a, Saved* saved) const {
    if (saved != nullptr) copy(x, saved->x.view().slice(block.first_row, block.first_row + x.extent(0)));
    ln_1.forward(x, a, saved != nullptr ? &saved->ln_1 : nullptr, block.first_row);
  }

  void forward_mlp(const typename Mlp<T>::Packed& weights, TensorView<T, 2> x, Index first_row, Workspace& workspace,
                   Saved* saved) const {
    Workspace::Scope scope(workspace);
    if (saved != nullptr) copy(x, saved->mid.view().slice(first_row, first_row + x.extent(0)));
    const ops::Operand<T> a(workspace, x.extent(0), x.extent(1), mlp.precision());
    ln_2.forward(x, a, saved != nullptr ? &saved->ln_2 : nullptr, first_row);
    ls_2.add(x, workspace, saved != nullptr ? &saved->ls_2 : nullptr, first_row, [&](TensorView<T, 2> u) {
      mlp.forward(weights, a, u, workspace, saved != nullptr ? &saved->mlp : nullptr, first_row);
    });
  }

  /// dx: (Rq, C) in place; a, da: scratch of the same shape.
  void backward_mlp(TensorView<T, 2> dx, TensorView<T, 2> a, TensorView<T, 2> da, Workspace& workspace,
                    const Saved& saved) {
    Workspace::Scope scope(workspace);
    ln_2.forward(saved.mid.view(), ops::Operand<T>(a));
    mlp.backward(ls_2.backward(dx, workspace, saved.ls_2), a, da, workspace, saved.mlp);
    ln_2.backward(da, saved.mid.view(), saved.ln_2, dx, true);
  }
};

}  // namespace couplet::inline COUPLET_ABI::nn
