#pragma once
/// Scaled dot-product attention, per sequence and head.
///   s_tu = q_t . k_u / sqrt(D),   p_tu = exp(s_tu - lse_t),   lse_t = log sum_u exp(s_tu),   out_t = sum_u p_tu v_u
/// Causal: the sums run over u <= t. No (T, T) matrix of a whole batch ever exists: the backward pass computes the
/// probabilities again from the saved log-sum-exp. Vaswani et al., arXiv:1706.03762; Dao et al., arXiv:2205.14135.
#include <algorithm>
#include <cmath>

#include "couplet/core/precision.hpp"
#include "couplet/core/sequences.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/ops/operand.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/attention.hpp"

namespace couplet::inline COUPLET_ABI::ops {

struct AttentionOptions {
  Index heads = 1;      ///< H; the width of q, k and v is H times D, the width of a head
  bool causal = false;  ///< query t of a sequence sees the keys 0 .. t, as far as there are keys
  /// Of the products: bfloat16 rounds q, k, v, p, dout and ds for them. Sums and softmax are float32 (of float; double
  /// stays double). A level without bfloat16 computes in float32.
  Precision precision = Precision::float32;
};

namespace detail {

inline void check_attention(const char* op, const Shape& q, const Shape& k, const Shape& v,
                            const Sequences& q_sequences, const Sequences& k_sequences, AttentionOptions options) {
  const auto shapes = [&] { return "; q " + to_string(q) + ", k " + to_string(k) + ", v " + to_string(v); };
  if (options.heads < 1 || q[1] % options.heads != 0) {
    fail(op, "the width does not divide into " + std::to_string(options.heads) + " heads" + shapes());
  }
  if (k[1] != q[1] || v[1] != q[1]) fail(op, "widths differ" + shapes());
  if (v[0] != k[0]) fail(op, "k and v have different numbers of rows" + shapes());
  if (q_sequences.count() != k_sequences.count()) {
    fail(op, std::to_string(q_sequences.count()) + " sequences of queries, " + std::to_string(k_sequences.count()) +
                 " of keys");
  }
  if (q_sequences.rows() != q[0] || k_sequences.rows() != k[0]) {
    fail(op, "the sequences cover " + std::to_string(q_sequences.rows()) + " queries and " +
                 std::to_string(k_sequences.rows()) + " keys" + shapes());
  }
  for (Index i = 0; i < q_sequences.count(); ++i) {
    const Index queries = q_sequences.length(i);
    const Index keys = k_sequences.length(i);
    const bool none = k_sequences.key_end(i) == k_sequences.begin(i);
    if ((queries > 0 && none) || (options.causal && queries != keys)) {
      fail(op, "sequence " + std::to_string(i) + " has " + std::to_string(queries) + " queries and " +
                   std::to_string(keys) + " keys" + (options.causal ? ", causal" : ""));
    }
  }
}

/// One head of one sequence: a view of the columns that belong to it.
template <class T>
TensorView<T, 2> head_view(TensorView<T, 2> x, const Sequences& sequences, Index sequence, Index head, Index width) {
  return x.slice(sequences.begin(sequence), sequences.end(sequence)).columns(head * width, (head + 1) * width);
}

/// The same of k, v and their gradients: rows that are seen.
template <class T>
TensorView<T, 2> key_view(TensorView<T, 2> x, const Sequences& sequences, Index sequence, Index head, Index width) {
  return x.slice(sequences.begin(sequence), sequences.key_end(sequence)).columns(head * width, (head + 1) * width);
}

/// Zero gradients for rows that are not seen.
template <class T>
void clear_unseen(const Sequences& sequences, TensorView<T, 2> dk, TensorView<T, 2> dv) {
  if (!sequences.has_key_ends()) return;
  for (Index i = 0; i < sequences.count(); ++i) {
    for (Index r = sequences.key_end(i); r < sequences.end(i); ++r) {
      std::fill_n(dk[r].data(), dk.extent(1), T(0));
      std::fill_n(dv[r].data(), dv.extent(1), T(0));
    }
  }
}

template <class T>
T dot(const T* a, const T* b, Index n) {
  T sum(0);
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

template <class T>
void add_scaled(T factor, const T* x, Index n, T* y) {
  for (Index i = 0; i < n; ++i) y[i] += factor * x[i];
}

/// A column of elements `stride` apart: the log-sum-exp of one head. `data` may be nullptr.
template <class T>
struct Column {
  T* data;
  Index stride;
};

/// What the kernels take.
inline simd::Rows rows_of(TensorView<float, 2> x) { return {x.data(), x.stride(0)}; }
inline simd::ConstRows rows_of(TensorView<const float, 2> x) { return {x.data(), x.stride(0)}; }
inline simd::AttentionHead kernel_head(TensorView<const float, 2> q, TensorView<const float, 2> k,
                                       TensorView<const float, 2> v, bool causal, bool next_behind) {
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(q.extent(1))));
  return {q.extent(0), k.extent(0), q.extent(1), causal, scale, rows_of(q), rows_of(k), rows_of(v), next_behind};
}

/// Elements of scratch memory for heads of `width` and up to `keys` keys. Kernels compute in float; double has the
/// plain loops below.
template <class T>
Index attention_forward_scratch(Index keys, Index width, AttentionOptions options) {
  if constexpr (std::is_same_v<T, float>)
    return simd::attention_kernels(options.precision).forward_scratch(keys, width);
  return keys;
}
template <class T>
Index attention_backward_scratch(Index keys, Index width, AttentionOptions options) {
  if constexpr (std::is_same_v<T, float>)
    return simd::attention_kernels(options.precision).backward_scratch(keys, width);
  return 0;
}

/// q, out: (Tq, D)   k, v: (Tk, D)   lse: (Tq)   scratch: attention_forward_scratch elements
/// next_behind: the columns behind these in memory are the head that is computed next.
template <class T>
void attention_forward_head(TensorView<const T, 2> q, TensorView<const T, 2> k, TensorView<const T, 2> v,
                            AttentionOptions options, [[maybe_unused]] bool next_behind, TensorView<T, 2> out,
                            Column<T> lse, T* scratch) {
  if constexpr (std::is_same_v<T, float>) {
    return simd::attention_kernels(options.precision)
        .forward(kernel_head(q, k, v, options.causal, next_behind), rows_of(out), {lse.data, lse.stride}, scratch);
  }
  T* const p = scratch;
  const Index width = q.extent(1);
  const T scale = 1 / std::sqrt(static_cast<T>(width));
  for (Index t = 0; t < q.extent(0); ++t) {
    const Index keys = options.causal ? std::min(t + 1, k.extent(0)) : k.extent(0);
    for (Index u = 0; u < keys; ++u) p[u] = scale * dot(q[t].data(), k[u].data(), width);
    const T maximum = *std::max_element(p, p + keys);
    T sum(0);
    for (Index u = 0; u < keys; ++u) sum += p[u] = std::exp(p[u] - maximum);
    std::fill_n(out[t].data(), width, T(0));
    for (Index u = 0; u < keys; ++u) add_scaled(p[u] / sum, v[u].data(), width, out[t].data());
    if (lse.data != nullptr) lse.data[t * lse.stride] = maximum + std::log(sum);
  }
}

/// dp_tu = dout_t . v_u,   ds_tu = p_tu (dp_tu - dout_t . out_t)
/// dq_t = sum_u ds_tu k_u / sqrt(D),   dk_u = sum_t ds_tu q_t / sqrt(D),   dv_u = sum_t p_tu dout_t
template <class T>
void attention_backward_head(TensorView<const T, 2> dout, TensorView<const T, 2> q, TensorView<const T, 2> k,
                             TensorView<const T, 2> v, TensorView<const T, 2> out, Column<const T> lse,
                             AttentionOptions options, [[maybe_unused]] bool next_behind, TensorView<T, 2> dq,
                             TensorView<T, 2> dk, TensorView<T, 2> dv, T* scratch) {
  if constexpr (std::is_same_v<T, float>) {
    const simd::AttentionGradient gradient{rows_of(dout), rows_of(out), {lse.data, lse.stride},
                                           rows_of(dq),   rows_of(dk),  rows_of(dv)};
    return simd::attention_kernels(options.precision)
        .backward(kernel_head(q, k, v, options.causal, next_behind), gradient, scratch);
  }
  static_cast<void>(scratch);
  const Index width = q.extent(1);
  const T scale = 1 / std::sqrt(static_cast<T>(width));
  for (Index u = 0; u < k.extent(0); ++u) {
    std::fill_n(dk[u].data(), width, T(0));
    std::fill_n(dv[u].data(), width, T(0));
  }
  for (Index t = 0; t < q.extent(0); ++t) {
    const T out_dout = dot(out[t].data(), dout[t].data(), width);
    std::fill_n(dq[t].data(), width, T(0));
    const Index keys = options.causal ? std::min(t + 1, k.extent(0)) : k.extent(0);
    for (Index u = 0; u < keys; ++u) {
      const T p = std::exp(scale * dot(q[t].data(), k[u].data(), width) - lse.data[t * lse.stride]);
      const T ds = p * (dot(dout[t].data(), v[u].data(), width) - out_dout);
      add_scaled(scale * ds, k[u].data(), width, dq[t].data());
      add_scaled(scale * ds, q[t].data(), width, dk[u].data());
      add_scaled(p, dout[t].data(), width, dv[u].data());
    }
  }
}

/// f(sequence, head, next_behind, workspace) for every head of every sequence. One thread takes neighbouring heads one
/// after the other, all of a sequence where there are many, and asks for the next one's rows in time (next_behind).
template <class F>
void for_each_head(Index sequences, Index heads, Index work, Workspace& workspace, F&& f) {
  constexpr Index tasks_per_thread = 16;
  const Index run = std::clamp<Index>(sequences * heads / (tasks_per_thread * available_threads()), 1, heads);
  const Index runs = (heads + run - 1) / run;
  parallel_for_work(workspace, work, sequences * runs, [&](Index i, Workspace& local) {
    const Index end = std::min(heads, (i % runs + 1) * run);
    for (Index head = i % runs * run; head < end; ++head) {
      const Workspace::Scope scope(local);
      f(i / runs, head, head + 1 < end, local);
    }
  });
}

inline Index longest(const Sequences& sequences) {
  Index length = 0;
  for (Index i = 0; i < sequences.count(); ++i) length = std::max(length, sequences.length(i));
  return length;
}

}  // namespace detail

/// q, out: (Rq, H D)   k, v: (Rk, H D)   lse: (Rq, H), saved for the backward pass; an empty view when there is none.
/// Sequence i of q attends to sequence i of k. q, k and v may be column slices of one matrix.
template <class T>
void attention_forward(TensorView<const T, 2> q, TensorView<const T, 2> k, TensorView<const T, 2> v,
                       const Sequences& q_sequences, const Sequences& k_sequences, AttentionOptions options,
                       const Operand<T>& out, TensorView<T, 2> lse, Workspace& workspace) {
  detail::check_attention("attention", q.shape(), k.shape(), v.shape(), q_sequences, k_sequences, options);
  const TensorView<T, 2> y = out.view();
  require_equal_shapes("attention", "q", q, "out", y);
  if (!lse.empty() && (lse.extent(0) != q.extent(0) || lse.extent(1) != options.heads)) {
    fail("attention", "lse must be (" + std::to_string(q.extent(0)) + ", " + std::to_string(options.heads) + "), is " +
                          to_string(lse.shape()));
  }
  const Index heads = options.heads;
  const Index width = q.extent(1) / heads;
  const Index scratch = detail::attention_forward_scratch<T>(detail::longest(k_sequences), width, options);
  const Index work = q.size() * detail::longest(k_sequences) / 4;
  const auto compute = [&](Index sequence, Index head, bool next_behind, Workspace& local) {
    const detail::Column<T> head_lse{lse.empty() ? nullptr : &lse(q_sequences.begin(sequence), head), lse.stride(0)};
    detail::attention_forward_head(detail::head_view(q, q_sequences, sequence, head, width),
                                   detail::key_view(k, k_sequences, sequence, head, width),
                                   detail::key_view(v, k_sequences, sequence, head, width), options, next_behind,
                                   detail::head_view(y, q_sequences, sequence, head, width), head_lse,
                                   local.take<T>(scratch));
  };
  detail::for_each_head(q_sequences.count(), heads, work, workspace, compute);
}

/// dout, q, out, dq: (Rq, H D)   k, v, dk, dv: (Rk, H D)   lse: (Rq, H)   dq, dk and dv are assigned.
template <class T>
void attention_backward(TensorView<const T, 2> dout, TensorView<const T, 2> q, TensorView<const T, 2> k,
                        TensorView<const T, 2> v, TensorView<const T, 2> out, TensorView<const T, 2> lse,
                        const Sequences& q_sequences, const Sequences& k_sequences, AttentionOptions options,
                        TensorView<T, 2> dq, TensorView<T, 2> dk, TensorView<T, 2> dv, Workspace& workspace) {
  const char* const op = "attention backward";
  detail::check_attention(op, q.shape(), k.shape(), v.shape(), q_sequences, k_sequences, options);
  require_equal_shapes(op, "q", q, "dout", dout);
  require_equal_shapes(op, "q", q, "out", out);
  require_equal_shapes(op, "q", q, "dq", dq);
  require_equal_shapes(op, "k", k, "dk", dk);
  require_equal_shapes(op, "v", v, "dv", dv);
  if (lse.extent(0) != q.extent(0) || lse.extent(1) != options.heads) {
    fail(op, "lse must be (" + std::to_string(q.extent(0)) + ", " + std::to_string(options.heads) + "), is " +
                 to_string(lse.shape()));
  }
  const Index heads = options.heads;
  const Index width = q.extent(1) / heads;
  const Index scratch = detail::attention_backward_scratch<T>(detail::longest(k_sequences), width, options);
  const Index work = q.size() * detail::longest(k_sequences) / 4;
  const auto compute = [&](Index sequence, Index head, bool next_behind, Workspace& local) {
    const detail::Column<const T> head_lse{lse.data() + q_sequences.begin(sequence) * lse.stride(0) + head,
                                           lse.stride(0)};
    const auto of_queries = [&](auto x) { return detail::head_view(x, q_sequences, sequence, head, width); };
    const auto of_keys = [&](auto x) { return detail::key_view(x, k_sequences, sequence, head, width); };
    detail::attention_backward_head(of_queries(dout), of_queries(q), of_keys(k), of_keys(v), of_queries(out), head_lse,
                                    options, next_behind, of_queries(dq), of_keys(dk), of_keys(dv),
                                    local.take<T>(scratch));
  };
  detail::for_each_head(q_sequences.count(), heads, work, workspace, compute);
  detail::clear_unseen(k_sequences, dk, dv);
}

}  // namespace couplet::inline COUPLET_ABI::ops
