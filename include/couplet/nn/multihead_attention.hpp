#pragma once
/// Multi-head attention with biases, as torch.nn.MultiheadAttention (in_proj_weight holds q, k, v rows in this order).
///
/// Queries may come from other rows than keys and values: all rows of a tower's block, only the pooled row of its last
/// block, or the probe of an attention-pool head. What keys and values are made of may have another width K than the
/// queries (kdim, vdim): then their weights are apart.
///
/// EVA02's attention turns queries and keys by their positions, has no bias of keys (which then would not cancel in the
/// softmax), and normalises what the heads give before out_proj.
#include <memory>
#include "couplet/core/sequences.hpp"

#include "couplet/nn/layer_norm.hpp"
#include "couplet/nn/linear.hpp"
#include "couplet/nn/module.hpp"
#include "couplet/nn/rotary_positions.hpp"
#include "couplet/ops/attention.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class MultiheadAttention {
 public:
  /// For all query rows (Rq) and all key rows (R) of the batch.
  struct Saved {
    Tensor<T, 2> q;    // (Rq, C)
    Tensor<T, 2> kv;   // (R, 2C)
    Tensor<T, 2> out;  // (Rq, C), heads side by side, before out_proj
    Tensor<T, 2> lse;  // (Rq, H)
    typename LayerNorm<T>::Saved ln;
    void resize(Index query_rows, Index rows, Index width, Index heads) {
      q.resize({query_rows, width});
      kv.resize({rows, 2 * width});
      out.resize({query_rows, width});
      lse.resize({query_rows, heads});
      ln.resize(query_rows);
    }
    template <class F>
    void visit_tensors(F&& f) {
      for (Tensor<T, 2>* each : {&q, &kv, &out, &lse}) f(*each);
    }
  };

  /// The weights as products read them.
  struct Packed {
    ops::PackedFactor<T> q, kv, out;
  };

  /// Where a row block lies in the batch's Saved.
  struct Rows {
    Index first_query = 0;
    Index first_key = 0;
  };

  MultiheadAttention() = default;
  MultiheadAttention(Index width, Index heads) : MultiheadAttention(width, heads, width) {}
  MultiheadAttention(Index width, Index heads, Index key_width)
      : in_proj_weight(Shape{key_width == width ? 3 * width : width, width}),
        in_proj_bias(Shape{3 * width}),
        out_proj_weight(Shape{width, width}),
        out_proj_bias(Shape{width}),
        heads_(heads) {
    if (key_width != width) kv_proj_weight.reshape(Shape{2 * width, key_width});
    if (heads <= 0 || width % heads != 0) {
      fail("attention", "width " + std::to_string(width) + " does not divide into " + std::to_string(heads) + " heads");
    }
  }

  /// Makes it EVA02's. `positions` are shared by the blocks of a tower.
  void set_rotary(std::shared_ptr<const RotaryPositions<T>> positions, double eps) {
    rotary_ = std::move(positions);
    ln = LayerNorm<T>(width(), eps);
    in_proj_bias.reshape(Shape{2 * width()});
  }

  [[nodiscard]] Index width() const { return out_proj_bias.size(); }
  [[nodiscard]] Index heads() const { return heads_; }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    if (keys_apart()) {
      prepare_weight(in_proj_weight, packed_q_, precision, packing);
      prepare_weight(kv_proj_weight, packed_kv_, precision, packing);
    } else {
      prepare_weight(in_proj_weight, packed_kv_, precision, packing, [&](TensorView<const T, 2> weight) {
        packed_q_.pack(weight.slice(0, width()), precision, packing);
        packed_kv_.pack(weight.slice(width(), 3 * width()), precision, packing);
      });
    }
    prepare_weight(out_proj_weight, packed_out_, precision, packing);
  }
  /// Of its products, attention's included, and so of the operands that forward() likes best.
  [[nodiscard]] Precision precision() const { return packed_q_.precision(); }

  /// What is kept, or packed now in the workspace.
  [[nodiscard]] Packed packed(Workspace& workspace) const {
    if (packed_q_.empty()) fail("attention", "prepare() was not called after the weights were set");
    return {packed_q_.factor([&] { return q_weight(); }, workspace),
            packed_kv_.factor([&] { return kv_weight(); }, workspace),
            packed_out_.factor([&] { return out_proj_weight.matrix(); }, workspace)};
  }

  /// xq: (Rq, C) gives the queries, x: (R, K) keys and values; y: (Rq, C), the residual stream, is added to.
  void forward(const ops::Operand<T>& xq, const Sequences& queries, const ops::Operand<T>& x, const Sequences& keys,
               bool causal, TensorView<T, 2> y, Workspace& workspace, Saved* saved, Rows rows = {}) const {
    Workspace::Scope scope(workspace);
    forward(packed(workspace), xq, queries, x, keys, causal, y, workspace, saved, rows);
  }
  void forward(const Packed& weights, const ops::Operand<T>& xq, const Sequences& queries, const ops::Operand<T>& x,
               const Sequences& keys, bool causal, TensorView<T, 2> y, Workspace& workspace, Saved* saved,
               Rows rows) const {
    Workspace::Scope scope(workspace);
    const Index c = width();
    const Index rq = xq.rows();
    const Index r = x.rows();
    const auto place = [&](Tensor<T, 2> Saved::*member, Index first, Index count, Index columns) {
      return saved != nullptr ? (saved->*member).view().slice(first, first + count)
                              : workspace.matrix<T>(count, columns);
    };
    const TensorView<T, 2> q = place(&Saved::q, rows.first_query, rq, c);
    const TensorView<T, 2> kv = place(&Saved::kv, rows.first_key, r, 2 * c);
    const ops::Operand<T> out(place(&Saved::out, rows.first_query, rq, c));
    TensorView<T, 2> lse;
    if (saved != nullptr) lse = saved->lse.view().slice(rows.first_query, rows.first_query + rq);

    ops::linear_forward(xq, weights.q, {.bias = in_proj_bias.value.data()}, q, workspace);
    ops::linear_forward(x, weights.kv, {.bias = kv_bias(workspace)}, kv, workspace);
    if (rotary_) {
      ops::rotary_forward(rotary_->angles(), queries, q);
      ops::rotary_forward(rotary_->angles(), keys, kv.columns(0, c));
    }
    ops::attention_forward<T>(q, kv.columns(0, c), kv.columns(c, 2 * c), queries, keys,
                              {.heads = heads_, .causal = causal, .precision = precision()}, out, lse, workspace);
    const ops::Epilogue<T> epilogue{.bias = out_proj_bias.value.data(), .accumulate = true};
    if (!rotary_) return ops::linear_forward(out, weights.out, epilogue, y, workspace);
    const ops::Operand<T> normalized(workspace, rq, c, precision());
    ln.forward(out.view(), normalized, saved != nullptr ? &saved->ln : nullptr, rows.first_query);
    ops::linear_forward(normalized, weights.out, epilogue, y, workspace);
  }

  /// dy: (Rq, C)   dxq: (Rq, C), dx: (R, K), assigned. In self-attention xq is x and the caller adds the two.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> xq, const Sequences& queries,
                TensorView<const T, 2> x, const Sequences& keys, bool causal, TensorView<T, 2> dxq, TensorView<T, 2> dx,
                Workspace& workspace, const Saved& saved) {
    Workspace::Scope scope(workspace);
    const Index c = width();
    const TensorView<T, 2> dout = workspace.matrix<T>(dy.extent(0), c);
    backward_out_proj(dy, dout, workspace, saved);

    const TensorView<T, 2> dq = workspace.matrix<T>(dy.extent(0), c);
    const TensorView<T, 2> dkv = workspace.matrix<T>(x.extent(0), 2 * c);
    const TensorView<const T, 2> kv = saved.kv.view();
    ops::attention_backward<T>(dout, saved.q.view(), kv.columns(0, c), kv.columns(c, 2 * c), saved.out.view(),
                               saved.lse.view(), queries, keys,
                               {.heads = heads_, .causal = causal, .precision = precision()}, dq, dkv.columns(0, c),
                               dkv.columns(c, 2 * c), workspace);
    if (rotary_) {
      ops::rotary_backward(rotary_->angles(), queries, dq);
      ops::rotary_backward(rotary_->angles(), keys, dkv.columns(0, c));
    }

    if (dxq.data() != nullptr) ops::linear_backward_input<T>(dq, q_weight(), dxq, workspace, precision());
    if (dx.data() != nullptr) ops::linear_backward_input<T>(dkv, kv_weight(), dx, workspace, precision());
    if (in_proj_weight.trainable) {
      ops::linear_backward_weight<T>(dq, xq, in_proj_weight.grad_matrix().slice(0, c), workspace, precision());
    }
    if (kv_parameter().trainable) {
      const TensorView<T, 2> dweight = kv_parameter().grad_matrix();
      ops::linear_backward_weight<T>(dkv, x, dweight.slice(kv_begin(), kv_begin() + 2 * c), workspace, precision());
    }
    if (in_proj_bias.trainable) {
      ops::linear_backward_bias<T>(dq, in_proj_bias.grad_vector().slice(0, c));
      const TensorView<const T, 2> with_bias = rotary_ ? dkv.columns(c, 2 * c) : dkv;
      ops::linear_backward_bias<T>(with_bias, in_proj_bias.grad_vector().slice(c, in_proj_bias.size()));
    }
  }

  template <class F>
  void visit_parameters(F&& f) {
    f(keys_apart() ? "q_proj_weight" : "in_proj_weight", in_proj_weight);
    if (keys_apart()) f("kv_proj_weight", kv_proj_weight);
    f("in_proj_bias", in_proj_bias);
    if (rotary_) visit_child("ln.", ln, f);
    f("out_proj.weight", out_proj_weight);
    f("out_proj.bias", out_proj_bias);
  }

  Parameter<T> in_proj_weight;   ///< (3C, C), or (C, C) for the queries where those of keys and values are apart
  Parameter<T> kv_proj_weight;   ///< (2C, K), only there
  Parameter<T> in_proj_bias;     ///< (3C); with rotary positions (2C), of queries and values
  Parameter<T> out_proj_weight;  ///< (C, C)
  Parameter<T> out_proj_bias;    ///< (C)
  LayerNorm<T> ln;               ///< of the heads' outputs, with rotary positions alone

 private:
  [[nodiscard]] TensorView<const T, 2> q_weight() const { return in_proj_weight.matrix().slice(0, width()); }
  [[nodiscard]] TensorView<const T, 2> kv_weight() const {
    const Parameter<T>& parameter = keys_apart() ? kv_proj_weight : in_proj_weight;
    return parameter.matrix().slice(kv_begin(), kv_begin() + 2 * width());
  }
  [[nodiscard]] bool keys_apart() const { return kv_proj_weight.size() > 0; }
  [[nodiscard]] Parameter<T>& kv_parameter() { return keys_apart() ? kv_proj_weight : in_proj_weight; }
  /// The first row of keys and values in their parameter.
  [[nodiscard]] Index kv_begin() const { return keys_apart() ? 0 : width(); }

  /// (2C)
  [[nodiscard]] const T* kv_bias(Workspace& workspace) const {
    const Index c = width();
    const T* const rest = in_proj_bias.value.data() + c;
    if (!rotary_) return rest;
    T* const bias = workspace.take<T>(2 * c);
    std::fill_n(bias, c, T(0));
    std::copy_n(rest, c, bias + c);
    return bias;
  }

  /// dout: (Rq, C), assigned: the gradient of what the heads gave.
  void backward_out_proj(TensorView<const T, 2> dy, TensorView<T, 2> dout, Workspace& workspace, const Saved& saved) {
    const Workspace::Scope scope(workspace);
    const TensorView<const T, 2> out = saved.out.view();
    TensorView<T, 2> normalized;
    if (rotary_) {
      normalized = workspace.matrix<T>(dout.extent(0), dout.extent(1));
      ln.forward(out, ops::Operand<T>(normalized));
    }
    if (out_proj_weight.trainable) {
      ops::linear_backward_weight<T>(dy, rotary_ ? normalized : out, out_proj_weight.grad_matrix(), workspace,
                                     precision());
    }
    if (out_proj_bias.trainable) ops::linear_backward_bias(dy, out_proj_bias.grad_vector());
    const TensorView<T, 2> dnormalized = rotary_ ? normalized : dout;  // in its place
    ops::linear_backward_input(dy, std::as_const(out_proj_weight).matrix(), dnormalized, workspace, precision());
    if (rotary_) ln.backward(dnormalized, out, saved.ln, dout, false);
  }

  Index heads_ = 1;
  std::shared_ptr<const RotaryPositions<T>> rotary_;
  ops::PackedWeight<T> packed_q_, packed_kv_, packed_out_;
};

}  // namespace couplet::inline COUPLET_ABI::nn
