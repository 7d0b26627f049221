#pragma once
/// The attention pool of CLIP's ResNets (AttentionPool2d): the mean of the pixels asks all of them.
///   t = [mean(x); x] + positional_embedding,   y = c_proj(attention(q_proj(t_0), k_proj(t), v_proj(t)))
/// Radford et al., 2021, section 2.4; names as open_clip's.
#include "couplet/nn/linear.hpp"
#include "couplet/nn/module.hpp"
#include "couplet/nn/row_blocks.hpp"
#include "couplet/ops/attention.hpp"
#include "couplet/ops/residual.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class AttentionPool2d {
 public:
  struct Saved {
    Tensor<T, 2> tokens;           // (B (P + 1), C)
    Tensor<T, 2> queries, q, out;  // (B, C)
    Tensor<T, 2> k, v;             // (B (P + 1), C)
    Tensor<T, 2> lse;              // (B, H)
  };

  AttentionPool2d() = default;
  AttentionPool2d(Index positions, Index width, Index heads, Index embed_dim)
      : positional_embedding(Shape{positions, width}),
        q_proj(width, width),
        k_proj(width, width),
        v_proj(width, width),
        c_proj(width, embed_dim),
        heads_(heads) {}

  /// The output projection stays in float32, as the towers' last projections do.
  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    for (Linear<T>* each : {&q_proj, &k_proj, &v_proj}) each->prepare(precision, packing);
    c_proj.prepare(Precision::float32, packing);
  }

  /// x: (B P, C), the pixels of B images   y: (B, E), assigned.
  void forward(TensorView<const T, 2> x, TensorView<T, 2> y, Workspace& workspace, Saved* saved) const {
    const Workspace::Scope scope(workspace);
    const Index n = y.extent(0);
    const Index c = width();
    if (x.extent(0) != n * (tokens() - 1) || x.extent(1) != c) {
      fail("attention_pool_2d", "x " + to_string(x.shape()) + " is not " + std::to_string(n) + " images of " +
                                    std::to_string(tokens() - 1) + " pixels and " + std::to_string(c) + " channels");
    }
    const auto memory = [&](Tensor<T, 2> Saved::*member, Index rows, Index columns) {
      if (saved == nullptr) return workspace.matrix<T>(rows, columns);
      (saved->*member).resize({rows, columns});
      return (saved->*member).view();
    };
    const TensorView<T, 2> all = memory(&Saved::tokens, n * tokens(), c);
    const TensorView<T, 2> queries = memory(&Saved::queries, n, c);
    const TensorView<T, 2> q = memory(&Saved::q, n, c);
    const TensorView<T, 2> k = memory(&Saved::k, n * tokens(), c);
    const TensorView<T, 2> v = memory(&Saved::v, n * tokens(), c);
    const TensorView<T, 2> out = memory(&Saved::out, n, c);
    embed(x, all, queries);
    q_proj.forward(ops::Operand<T>(queries), {}, q, workspace);
    k_proj.forward(ops::Operand<T>(all), {}, k, workspace);
    v_proj.forward(ops::Operand<T>(all), {}, v, workspace);
    const TensorView<T, 2> lse = saved != nullptr ? memory(&Saved::lse, n, heads_) : TensorView<T, 2>{};
    ops::attention_forward<T>(q, k, v, one_row_each(n, workspace), equal_lengths(n, tokens(), workspace),
                              {.heads = heads_, .precision = q_proj.precision()}, ops::Operand<T>(out), lse, workspace);
    c_proj.forward(ops::Operand<T>(out), {}, y, workspace);
  }

  /// dy: (B, E)   dx: (B P, C), assigned.
  void backward(TensorView<const T, 2> dy, TensorView<T, 2> dx, Workspace& workspace, const Saved& saved) {
    const Workspace::Scope scope(workspace);
    const Index n = dy.extent(0);
    const Index rows = n * tokens();
    const Index c = width();
    const TensorView<T, 2> dout = workspace.matrix<T>(n, c);
    const TensorView<T, 2> dq = workspace.matrix<T>(n, c);
    const TensorView<T, 2> dk = workspace.matrix<T>(rows, c);
    const TensorView<T, 2> dv = workspace.matrix<T>(rows, c);
    c_proj.backward(dy, saved.out.view(), dout, workspace);
    ops::attention_backward<T>(dout, saved.q.view(), saved.k.view(), saved.v.view(), saved.out.view(), saved.lse.view(),
                               one_row_each(n, workspace), equal_lengths(n, tokens(), workspace),
                               {.heads = heads_, .precision = q_proj.precision()}, dq, dk, dv, workspace);
    const TensorView<T, 2> dqueries = dout;  // its content is not needed any more
    const TensorView<T, 2> dtokens = workspace.matrix<T>(rows, c);
    const TensorView<T, 2> dvalues = workspace.matrix<T>(rows, c);
    q_proj.backward(dq, saved.queries.view(), dqueries, workspace);
    k_proj.backward(dk, saved.tokens.view(), dtokens, workspace);
    v_proj.backward(dv, saved.tokens.view(), dvalues, workspace);
    ops::residual_add<T>(dvalues, dtokens);
    for (Index b = 0; b < n; ++b) {
      ops::residual_add<T>(dqueries.slice(b, b + 1), dtokens.slice(b * tokens(), b * tokens() + 1));
    }
    backward_embed(dtokens, dx);
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("positional_embedding", positional_embedding);
    visit_child("q_proj.", q_proj, f);
    visit_child("k_proj.", k_proj, f);
    visit_child("v_proj.", v_proj, f);
    visit_child("c_proj.", c_proj, f);
  }

  Parameter<T> positional_embedding;  ///< (P + 1, C); row 0 belongs to the mean
  Linear<T> q_proj, k_proj, v_proj;   ///< (C, C)
  Linear<T> c_proj;                   ///< (E, C)

 private:
  [[nodiscard]] Index tokens() const { return positional_embedding.shape[0]; }
  [[nodiscard]] Index width() const { return positional_embedding.shape[1]; }

  /// all[b] = [mean(x[b]); x[b]] + positional_embedding;  queries[b] = all[b][0]
  void embed(TensorView<const T, 2> x, TensorView<T, 2> all, TensorView<T, 2> queries) const {
    const Index pixels = tokens() - 1;
    const TensorView<const T, 2> positions = positional_embedding.matrix();
    parallel_for(queries.extent(0), [&](Index b) {
      T* mean = queries[b].data();
      std::fill_n(mean, width(), T(0));
      for (Index p = 0; p < pixels; ++p) {
        for (Index c = 0; c < width(); ++c) {
          mean[c] += x(b * pixels + p, c);
          all(b * tokens() + p + 1, c) = x(b * pixels + p, c) + positions(p + 1, c);
        }
      }
      for (Index c = 0; c < width(); ++c) mean[c] = mean[c] / static_cast<T>(pixels) + positions(0, c);
      copy(TensorView<const T, 1>(queries[b]), all[b * tokens()]);
    });
  }

  /// dx[b][p] = dtokens[b][p + 1] + dtokens[b][0] / P
  void backward_embed(TensorView<const T, 2> dtokens, TensorView<T, 2> dx) {
    const Index pixels = tokens() - 1;
    const Index n = dtokens.extent(0) / tokens();
    parallel_for(n, [&](Index b) {
      const T* dmean = dtokens[b * tokens()].data();
      for (Index p = 0; p < pixels; ++p) {
        const T* dtoken = dtokens[b * tokens() + p + 1].data();
        T* to = dx[b * pixels + p].data();
        for (Index c = 0; c < width(); ++c) to[c] = dtoken[c] + dmean[c] / static_cast<T>(pixels);
      }
    });
    if (!positional_embedding.trainable) return;
    for (Index b = 0; b < n; ++b) {
      ops::residual_add<T>(dtokens.slice(b * tokens(), (b + 1) * tokens()), positional_embedding.grad_matrix());
    }
  }

  Index heads_ = 1;
};

}  // namespace couplet::inline COUPLET_ABI::nn
