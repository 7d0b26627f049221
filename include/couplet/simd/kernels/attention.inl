// Attention of one head; see simd/attention.hpp.
//
// The scores of a panel of queries lie transposed: a row is a key, its elements are the panel's queries. So every step
// of a softmax is a plain operation on whole vectors, one query a lane, no sum runs across lanes, and a number of keys
// that fills no vector costs nothing. `Products` computes the products (kernels/attention_products.inl for float32,
// kernels/attention_bf16.inl for bfloat16).
namespace attention {

inline constexpr float log2_of_e = 1.44269504088896341F;

inline constexpr float lane_numbers[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                           16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

/// The causal mask on the scores of keys [first, first + n) and the panel of queries from `begin` >= first on.
inline void hide_future(Index begin, Index first, Index n, float* scores) {
  for (Index u = begin - first + 1; u < n; ++u) {
    const Vec key = set1(static_cast<float>(first + u - begin));
    COUPLET_UNROLL
    for (int v = 0; v < 2; ++v) {
      float* const s = scores + u * panel + v * width;
      store(s, select(less(load(lane_numbers + v * width), key), set1(softmax::far_below), load(s)));
    }
  }
}

/// y = factor x
inline void write_row(const float* x, float factor, Index columns, float* y) {
  const Vec f = set1(factor);
  for_each_vector(columns, [=](Index c, auto lanes) { lanes.store_to(y + c, mul(lanes.load_or(x + c, 0.0F), f)); });
}
inline void write_rows(const float* x, Index padded, float factor, Index rows, Index columns, Rows to) {
  for (Index r = 0; r < rows; ++r) write_row(x + r * padded, factor, columns, to.data + r * to.stride);
}

/// Keys times width of heads that look ahead. Larger ones crowd what they need themselves out of the second-level
/// cache: measured on Zen 4 (1 MiB), forward and backward gain 40 % at 50 keys of width 64, 10 % at 197, and lose 3 %
/// at 577.
inline constexpr Index largest_head_ahead = 256 * 64;

inline ConstRows const_rows(Rows x) { return {x.data, x.stride}; }

/// One tile of each of `products` products of queries and keys asks for its share.
inline void spread(Ahead& ahead, const AttentionHead& head, Index products) {
  ahead.spread_over(products * ((head.queries + panel - 1) / panel) * ((head.keys + tile_rows - 1) / tile_rows));
}

inline bool asks_ahead(const AttentionHead& head) { return head.keys * head.width <= largest_head_ahead; }

/// The next head's q, k and v, which lie behind this one's.
inline void add_next_head(Ahead& ahead, const AttentionHead& head) {
  ahead.add({head.k.data + head.width, head.k.stride}, head.keys, head.width);
  ahead.add({head.v.data + head.width, head.v.stride}, head.keys, head.width);
  ahead.add({head.q.data + head.width, head.q.stride}, head.queries, head.width);
}

inline ConstRows rows_from(ConstRows x, Index first) { return {x.data + first * x.stride, x.stride}; }

// ---------------------------------------------------------------------------------------------------------- forward

/// Where things lie in the scratch memory, in words; all offsets are multiples of 16.
template <class Products>
struct ForwardLayout {
  Index depth;    ///< words of the width
  Index padded;   ///< columns of v and out
  Index k_step;   ///< from chunk to chunk of k
  Index k;        ///< left factor in rows
  Index v;        ///< right factor
  Index q;        ///< a panel of queries, transposed: right factor
  Index scores;   ///< (keys of a block, panel)
  Index weights;  ///< exponentials as a left factor in columns
  Index out;      ///< (panel, padded): the sum of exponential times v
  Index size;

  ForwardLayout(Index keys, Index head_width) {
    depth = padded_words<Products>(head_width);
    padded = round_up(head_width, 16);
    k_step = (keys + overhang) * word_chunk<Products>;
    const Index score_rows = smaller(keys, key_block) + overhang;
    k = 0;
    v = k + rows_size<Products>(keys, head_width);
    q = v + padded_words<Products>(keys) * padded;
    scores = q + round_up(depth, 16) * panel;
    weights = Products::scores_are_factors ? scores : scores + score_rows * panel;
    out = weights + score_rows * panel;
    size = out + (panel + overhang) * padded;
  }
};

/// The running softmax of a panel of queries. slope = scale log2 e, so that e^(scale s) = 2^(slope s).
struct PanelState {
  alignas(64) float maximum[panel];  ///< of the scores so far
  alignas(64) float sum[panel];      ///< of the exponentials so far, 2^(slope (score - maximum))
  alignas(64) float kept[panel];     ///< 2^(slope (maximum before this block - maximum))
};

/// The maximum with the scores of n more keys; the sum is multiplied to fit.
template <int vectors>
inline void raise_maximum(Index n, const float* scores, float slope, bool first_block, PanelState& state) {
  const Vec factor = set1(slope);
  COUPLET_UNROLL
  for (int v = 0; v < vectors; ++v) {
    float* const maximum = state.maximum + v * width;
    float* const sum = state.sum + v * width;
    const float* const s = scores + v * width;
    const Vec before = first_block ? set1(softmax::far_below) : load(maximum);
    Vec even = before;
    Vec odd = before;
    for (Index u = 0; u + 1 < n; u += 2) {
      even = max(even, load(s + u * panel));
      odd = max(odd, load(s + (u + 1) * panel));
    }
    if (n % 2 != 0) even = max(even, load(s + (n - 1) * panel));
    const Vec now = max(even, odd);
    const Vec kept = softmax::exp2_below_zero(mul(factor, sub(before, now)));
    store(state.kept + v * width, kept);
    store(sum, first_block ? set1(0.0F) : mul(kept, load(sum)));
    store(maximum, now);
  }
}

/// The scores of n keys become 2^(slope (score - maximum)), a left factor in columns, and are added to the sum.
template <class Products, int vectors>
inline void exponentials(Index n, const float* scores, float slope, PanelState& state, float* weights) {
  const Vec factor = set1(slope);
  Vec shift[vectors];
  Vec sums[2][vectors];
  COUPLET_UNROLL
  for (int v = 0; v < vectors; ++v) {
    shift[v] = neg(mul(factor, load(state.maximum + v * width)));
    sums[0][v] = load(state.sum + v * width);
    sums[1][v] = set1(0.0F);
  }
  for (Index u = 0; u < n; u += 2) {
    COUPLET_UNROLL
    for (int v = 0; v < vectors; ++v) {
      const float* const s = scores + u * panel + v * width;
      const Vec even = softmax::exp2_below_zero(fma(factor, load(s), shift[v]));
      Vec odd = set1(0.0F);
      if (u + 1 < n) odd = softmax::exp2_below_zero(fma(factor, load(s + panel), shift[v]));
      sums[0][v] = add(sums[0][v], even);
      sums[1][v] = add(sums[1][v], odd);
      Products::store_columns(weights, u, v, even, odd);
    }
  }
  Products::finish_columns(weights, n);
  COUPLET_UNROLL
  for (int v = 0; v < vectors; ++v) store(state.sum + v * width, add(sums[0][v], sums[1][v]));
}

template <class Products, int vectors>
inline void softmax_block(Index n, const float* scores, float slope, bool first_block, PanelState& state,
                          float* weights) {
  raise_maximum<vectors>(n, scores, slope, first_block, state);
  exponentials<Products, vectors>(n, scores, slope, state, weights);
}

/// The queries [begin, begin + n), n <= panel, of a head whose keys and values are in the scratch memory.
template <class Products>
inline void forward_panel(const AttentionHead& head, const ForwardLayout<Products>& at, Index begin, Index n, Rows to,
                          Rows lse, Ahead& ahead, float* scratch) {
  const Index keys = head.causal ? smaller(begin + n, head.keys) : head.keys;
  const Index columns = n > width ? panel : width;
  const float slope = first(mul(set1(head.scale), set1(log2_of_e)));
  float* const scores = scratch + at.scores;
  float* const weights = scratch + at.weights;
  float* const out = scratch + at.out;
  PanelState state;
  Products::pack_transposed(rows_from(head.q, begin), n, head.width, scratch + at.q);
  for (Index u = 0; u < keys; u += key_block) {
    const Index count = smaller(key_block, keys - u);
    Products::multiply_rows(ahead, count, columns, at.depth, {scratch + at.k + u * word_chunk<Products>, at.k_step},
                            {scratch + at.q, panel}, {scores, panel});
    if (head.causal) hide_future(begin, u, count, scores);
    if (columns > width) {
      softmax_block<Products, 2>(count, scores, slope, u == 0, state, weights);
    } else {
      softmax_block<Products, 1>(count, scores, slope, u == 0, state, weights);
    }
    if (u > 0) {
      for (Index r = 0; r < n; ++r) softmax::multiply(out + r * at.padded, at.padded, state.kept[r]);
    }
    Products::multiply_columns(ahead, n, at.padded, padded_words<Products>(count), weights,
                               {scratch + at.v + u / Products::per_word * at.padded, at.padded},
                               {out, at.padded, u > 0});
  }
  for (Index r = 0; r < n; ++r) {
    write_row(out + r * at.padded, divide(1.0F, state.sum[r]), head.width, to.data + (begin + r) * to.stride);
    if (lse.data == nullptr) continue;
    lse.data[(begin + r) * lse.stride] =
        first(fma(set1(head.scale), set1(state.maximum[r]), set1(__builtin_logf(state.sum[r]))));
  }
}

/// What forward() will write, and what it reads of the next head.
inline Ahead forward_ahead(const AttentionHead& head, Rows out) {
  Ahead ahead;
  if (!asks_ahead(head)) return ahead;
  ahead.add(const_rows(out), head.queries, head.width);
  if (head.next_behind) add_next_head(ahead, head);
  spread(ahead, head, 2);
  return ahead;
}

template <class Products>
inline void forward(const AttentionHead& head, Rows out, Rows lse, float* scratch) {
  [[maybe_unused]] const typename Products::Scope scope;
  const ForwardLayout<Products> at(head.keys, head.width);
  Ahead ahead = forward_ahead(head, out);
  Products::pack_rows(head.k, head.keys, head.width, at.k_step, scratch + at.k);
  Products::pack_right(head.v, head.keys, head.width, at.padded, scratch + at.v);
  for (Index begin = 0; begin < head.queries; begin += panel) {
    forward_panel(head, at, begin, smaller(panel, head.queries - begin), out, lse, ahead, scratch);
  }
}

template <class Products>
inline Index forward_scratch(Index keys, Index head_width) {
  return ForwardLayout<Products>(keys, head_width).size;
}

// --------------------------------------------------------------------------------------------------------- backward

template <class Products>
struct BackwardLayout {
  Index depth;       ///< words of the width
  Index padded;      ///< columns of right factors and results
  Index key_step;    ///< from chunk to chunk of k and v in rows
  Index k;           ///< left factor in rows
  Index v;           ///< the same
  Index k_right;     ///< right factor
  Index q;           ///< a panel of queries, transposed: right factor
  Index dout;        ///< the same
  Index q_right;     ///< the panel as a right factor
  Index dout_right;  ///< the same
  Index scores;      ///< (keys of a block, panel)
  Index dp;          ///< the same
  Index p;           ///< left factor in rows
  Index ds;          ///< the same
  Index ds_columns;  ///< left factor in columns
  Index dq;          ///< (panel, padded)
  Index dk;          ///< (keys, padded), summed over the panels of queries
  Index dv;          ///< the same
  Index size;

  BackwardLayout(Index keys, Index head_width) {
    depth = padded_words<Products>(head_width);
    padded = round_up(head_width, 16);
    key_step = (keys + overhang) * word_chunk<Products>;
    const Index key_rows = rows_size<Products>(keys, head_width);
    const Index transposed = round_up(depth, 16) * panel;
    const Index right = padded_words<Products>(panel) * padded;
    const Index score_rows = smaller(keys, key_block) + overhang;
    const Index factor = Products::scores_are_factors ? 0 : score_rows * panel;
    const Index sums = (keys + overhang) * padded;
    k = 0;
    v = k + key_rows;
    k_right = v + key_rows;
    q = k_right + padded_words<Products>(keys) * padded;
    dout = q + transposed;
    q_right = dout + transposed;
    dout_right = q_right + right;
    scores = dout_right + right;
    dp = scores + score_rows * panel;
    const Index factors = dp + score_rows * panel;
    p = factor == 0 ? scores : factors;
    ds = factor == 0 ? dp : factors + factor;
    ds_columns = factor == 0 ? dp : factors + 2 * factor;
    dq = factors + 3 * factor;
    dk = dq + (panel + overhang) * padded;
    dv = dk + sums;
    size = dv + sums;
  }
};

/// What is known of each query of a panel; 0 where there is none.
struct PanelRows {
  alignas(64) float shift[panel];     ///< - log2 e times the log-sum-exp
  alignas(64) float dout_out[panel];  ///< dout . out
};

inline float dot(const float* a, const float* b, Index n) {
  return sum_over(n, [=](Index c, auto lanes) { return mul(lanes.load_or(a + c, 0.0F), lanes.load_or(b + c, 0.0F)); });
}

inline PanelRows panel_rows(const AttentionHead& head, const AttentionGradient& gradient, Index begin, Index n) {
  PanelRows rows;
  for (Index r = 0; r < panel; ++r) {
    const Index t = begin + r;
    rows.shift[r] = r < n ? first(mul(set1(-log2_of_e), set1(gradient.lse.data[t * gradient.lse.stride]))) : 0.0F;
    rows.dout_out[r] = r < n ? dot(gradient.dout.data + t * gradient.dout.stride,
                                   gradient.out.data + t * gradient.out.stride, head.width)
                             : 0.0F;
  }
  return rows;
}

/// The scores of n keys become p = 2^(slope s + shift), and dp becomes ds = p (dp - dout . out), as left factors.
template <class Products, int vectors>
inline void softmax_backward_block(Index n, const float* scores, const float* dp, float slope, const PanelRows& rows,
                                   float* p_rows, float* ds_rows, float* ds_columns) {
  const Vec factor = set1(slope);
  for (Index u = 0; u < n; u += 2) {
    Vec ds[2][2];
    COUPLET_UNROLL
    for (int odd = 0; odd < 2; ++odd) {
      Vec p[2] = {set1(0.0F), set1(0.0F)};
      ds[odd][0] = set1(0.0F);
      ds[odd][1] = set1(0.0F);
      if (u + odd >= n) continue;
      COUPLET_UNROLL
      for (int v = 0; v < vectors; ++v) {
        const Index at = (u + odd) * panel + v * width;
        p[v] = softmax::exp2_below_zero(fma(factor, load(scores + at), load(rows.shift + v * width)));
        ds[odd][v] = mul(p[v], sub(load(dp + at), load(rows.dout_out + v * width)));
      }
      Products::store_row(p_rows, u + odd, p);
      Products::store_row(ds_rows, u + odd, ds[odd]);
    }
    if constexpr (!Products::scores_are_factors) {
      COUPLET_UNROLL
      for (int v = 0; v < vectors; ++v) Products::store_columns(ds_columns, u, v, ds[0][v], ds[1][v]);
    }
  }
  Products::finish_columns(ds_columns, n);
}

/// The queries [begin, begin + n), n <= panel: their dq, and their share of dk and dv.
template <class Products>
inline void backward_panel(const AttentionHead& head, const AttentionGradient& gradient,
                           const BackwardLayout<Products>& at, Index begin, Index n, Ahead& ahead, float* scratch) {
  const Index keys = head.causal ? smaller(begin + n, head.keys) : head.keys;
  const Index columns = n > width ? panel : width;
  const Index queries = padded_words<Products>(n);
  const float slope = first(mul(set1(head.scale), set1(log2_of_e)));
  const PanelRows rows = panel_rows(head, gradient, begin, n);
  const ConstRows q = rows_from(head.q, begin);
  const ConstRows dout = rows_from(gradient.dout, begin);
  Products::pack_transposed(q, n, head.width, scratch + at.q);
  Products::pack_transposed(dout, n, head.width, scratch + at.dout);
  Products::pack_right(q, n, head.width, at.padded, scratch + at.q_right);
  Products::pack_right(dout, n, head.width, at.padded, scratch + at.dout_right);
  float* const scores = scratch + at.scores;
  float* const dp = scratch + at.dp;
  float* const p = scratch + at.p;
  float* const ds = scratch + at.ds;
  for (Index u = 0; u < keys; u += key_block) {
    const Index count = smaller(key_block, keys - u);
    const Index chunk = u * word_chunk<Products>;
    Products::multiply_rows(ahead, count, columns, at.depth, {scratch + at.k + chunk, at.key_step},
                            {scratch + at.q, panel}, {scores, panel});
    Products::multiply_rows(ahead, count, columns, at.depth, {scratch + at.v + chunk, at.key_step},
                            {scratch + at.dout, panel}, {dp, panel});
    if (head.causal) hide_future(begin, u, count, scores);
    if (columns > width) {
      softmax_backward_block<Products, 2>(count, scores, dp, slope, rows, p, ds, scratch + at.ds_columns);
    } else {
      softmax_backward_block<Products, 1>(count, scores, dp, slope, rows, p, ds, scratch + at.ds_columns);
    }
    Products::multiply_rows(ahead, count, at.padded, queries, {p}, {scratch + at.dout_right, at.padded},
                            {scratch + at.dv + u * at.padded, at.padded, true});
    Products::multiply_rows(ahead, count, at.padded, queries, {ds}, {scratch + at.q_right, at.padded},
                            {scratch + at.dk + u * at.padded, at.padded, true});
    Products::multiply_columns(ahead, n, at.padded, padded_words<Products>(count), scratch + at.ds_columns,
                               {scratch + at.k_right + u / Products::per_word * at.padded, at.padded},
                               {scratch + at.dq, at.padded, u > 0});
  }
  write_rows(scratch + at.dq, at.padded, head.scale, n, head.width,
             Rows{gradient.dq.data + begin * gradient.dq.stride, gradient.dq.stride});
}

/// The same for backward().
inline Ahead backward_ahead(const AttentionHead& head, const AttentionGradient& gradient) {
  Ahead ahead;
  if (!asks_ahead(head)) return ahead;
  ahead.add(const_rows(gradient.dq), head.queries, head.width);
  ahead.add(const_rows(gradient.dk), head.keys, head.width);
  ahead.add(const_rows(gradient.dv), head.keys, head.width);
  if (head.next_behind) {
    add_next_head(ahead, head);
    ahead.add({gradient.dout.data + head.width, gradient.dout.stride}, head.queries, head.width);
    ahead.add({gradient.out.data + head.width, gradient.out.stride}, head.queries, head.width);
  }
  spread(ahead, head, 5);
  return ahead;
}

template <class Products>
inline void backward(const AttentionHead& head, const AttentionGradient& gradient, float* scratch) {
  [[maybe_unused]] const typename Products::Scope scope;
  const BackwardLayout<Products> at(head.keys, head.width);
  Ahead ahead = backward_ahead(head, gradient);
  Products::pack_rows(head.k, head.keys, head.width, at.key_step, scratch + at.k);
  Products::pack_rows(head.v, head.keys, head.width, at.key_step, scratch + at.v);
  Products::pack_right(head.k, head.keys, head.width, at.padded, scratch + at.k_right);
  for (float* sum = scratch + at.dk; sum != scratch + at.size; sum += width) store(sum, set1(0.0F));
  for (Index begin = 0; begin < head.queries; begin += panel) {
    backward_panel(head, gradient, at, begin, smaller(panel, head.queries - begin), ahead, scratch);
  }
  write_rows(scratch + at.dk, at.padded, head.scale, head.keys, head.width, gradient.dk);
  write_rows(scratch + at.dv, at.padded, 1.0F, head.keys, head.width, gradient.dv);
}

template <class Products>
inline Index backward_scratch(Index keys, Index head_width) {
  return BackwardLayout<Products>(keys, head_width).size;
}

template <class Products>
inline constexpr AttentionKernels table{&forward_scratch<Products>, &backward_scratch<Products>, &forward<Products>,
                                        &backward<Products>};

}  // namespace attention

inline constexpr AttentionKernels attention_kernels_table = attention::table<attention::Float32>;
