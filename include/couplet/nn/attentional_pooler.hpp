#pragma once
/// open_clip's attentional pooler (CoCa): learned queries ask all tokens of an image.
///   y = attn(q = ln_q(query), k = v = ln_k(x))
/// The answer to the first query is the image's feature. Those to the others are what CoCa's caption decoder reads, so
/// they are not computed here: the other queries are kept, and get no gradient.
/// Yu et al., "CoCa: Contrastive Captioners are Image-Text Foundation Models", 2022; open_clip's AttentionalPooler.
#include "couplet/nn/layer_norm.hpp"
#include "couplet/nn/multihead_attention.hpp"
#include "couplet/nn/row_blocks.hpp"
#include "couplet/ops/residual.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class AttentionalPooler {
 public:
  struct Saved {
    Tensor<T, 2> x;  // (R, K), what came in
    typename LayerNorm<T>::Saved ln_q, ln_k;
    typename MultiheadAttention<T>::Saved attn;
  };

  AttentionalPooler() = default;
  /// Tokens of width K = token_width, answers of width C = width. Both norms have PyTorch's eps, whatever the tower's.
  AttentionalPooler(Index token_width, Index width, Index heads, Index queries)
      : query(Shape{queries, width}), attn(width, heads, token_width), ln_q(width, 1e-5), ln_k(token_width, 1e-5) {}

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    attn.prepare(precision, packing);
  }

  /// x: (R, K), the tokens   y: (sequences, C), assigned.
  void forward(TensorView<const T, 2> x, const Sequences& sequences, TensorView<T, 2> y, Workspace& workspace,
               Saved* saved) const {
    const Workspace::Scope scope(workspace);
    const Index n = sequences.count();
    const Index c = attn.width();
    if (saved != nullptr) {
      saved->x.resize(x.extents());
      copy(x, saved->x.view());
      saved->ln_q.resize(1);
      saved->ln_k.resize(x.extent(0));
      saved->attn.resize(n, x.extent(0), c, attn.heads());
    }
    const TensorView<T, 2> asked = workspace.matrix<T>(1, c);
    ln_q.forward(query.matrix().slice(0, 1), ops::Operand<T>(asked), saved != nullptr ? &saved->ln_q : nullptr);
    const ops::Operand<T> queries(workspace, n, c);
    repeat_row<T>(asked[0], queries.view());
    const ops::Operand<T> tokens(workspace, x.extent(0), x.extent(1), attn.precision());
    ln_k.forward(x, tokens, saved != nullptr ? &saved->ln_k : nullptr);
    for (Index i = 0; i < n; ++i) std::fill_n(y[i].data(), c, T(0));
    attn.forward(queries, one_row_each(n, workspace), tokens, sequences, false, y, workspace,
                 saved != nullptr ? &saved->attn : nullptr);
  }

  /// dy: (sequences, C)   dx: (R, K), assigned.
  void backward(TensorView<const T, 2> dy, const Sequences& sequences, TensorView<T, 2> dx, Workspace& workspace,
                const Saved& saved) {
    const Workspace::Scope scope(workspace);
    const Index n = dy.extent(0);
    const Index c = dy.extent(1);
    const TensorView<const T, 2> first = std::as_const(query).matrix().slice(0, 1);
    const TensorView<T, 2> asked = workspace.matrix<T>(1, c);
    const TensorView<T, 2> queries = workspace.matrix<T>(n, c);
    const TensorView<T, 2> dqueries = workspace.matrix<T>(n, c);
    const TensorView<T, 2> tokens = workspace.matrix<T>(dx.extent(0), dx.extent(1));
    const TensorView<T, 2> dtokens = workspace.matrix<T>(dx.extent(0), dx.extent(1));
    ln_q.forward(first, ops::Operand<T>(asked));
    repeat_row<T>(asked[0], queries);
    ln_k.forward(saved.x.view(), ops::Operand<T>(tokens));
    attn.backward(dy, queries, one_row_each(n, workspace), tokens, sequences, false, dqueries, dtokens, workspace,
                  saved.attn);
    ln_k.backward(dtokens, saved.x.view(), saved.ln_k, dx, false);
    const TensorView<T, 2> dasked = workspace.matrix<T>(1, c);
    const TensorView<T, 2> dfirst = workspace.matrix<T>(1, c);
    std::fill_n(dasked.data(), c, T(0));
    ops::linear_backward_bias<T>(dqueries, dasked[0]);  // the query is in every row
    ln_q.backward(dasked, first, saved.ln_q, dfirst, false);
    if (query.trainable) ops::residual_add<T>(dfirst, query.grad_matrix().slice(0, 1));
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("query", query);
    visit_child("attn.", attn, f);
    visit_child("ln_q.", ln_q, f);
    visit_child("ln_k.", ln_k, f);
  }

  Parameter<T> query;  ///< (queries, C); the first is used
  MultiheadAttention<T> attn;
  LayerNorm<T> ln_q, ln_k;
};

}  // namespace couplet::inline COUPLET_ABI::nn
