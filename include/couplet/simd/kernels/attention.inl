// Attention of one head; see simd/attention.hpp.
//
// Five small products per block of queries and keys, all by one micro-kernel. The scores have a leading dimension
// known at compile time, so that the micro-kernel reads them as they lie, by rows or by columns, without packing.
namespace attention {

inline constexpr Index key_block = 512;
inline constexpr Index score_stride = key_block + 16;  // not a power of two: rows fall into different cache sets
inline constexpr Index query_block = 4 * tile_rows;
inline constexpr Index causal_query_block = (12 + tile_rows - 1) / tile_rows * tile_rows;  // skips what the mask hides
static_assert(tile_vectors == 2 && key_block % gemm::panel_columns == 0 && tile_rows <= 16);

inline constexpr Index round_up(Index n, Index multiple) { return (n + multiple - 1) / multiple * multiple; }
inline constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }

// --------------------------------------------------------------------------------------------------------- products

/// The left factor (m, k): element (i, p) of a tile of tile_rows rows is tile[i row_stride + p step], with row_stride
/// known at compile time; tiles are `tile_step` apart.
struct Left {
  const float* data;
  Index tile_step;
  Index step;
};
/// The right factor (k, n): row p of a panel of columns begins at panel + p step; panels are `panel_step` apart.
struct Right {
  const float* data;
  Index panel_step;
  Index step;
};

/// One tile of C = A B or C += A B: tile_rows rows, `vectors` vectors of columns, inner indices in order.
template <int vectors, Index row_stride>
inline void multiply_tile(Index k, const float* a, Index a_step, const float* b, Index b_step, float* c, Index c_stride,
                          bool accumulate) {
  Vec sums[tile_rows][vectors];
  COUPLET_UNROLL
  for (int i = 0; i < tile_rows; ++i) {
    COUPLET_UNROLL
    for (int j = 0; j < vectors; ++j) sums[i][j] = set1(0.0F);
  }
  for (Index p = 0; p < k; ++p, a += a_step, b += b_step) {
    Vec row[vectors];
    COUPLET_UNROLL
    for (int j = 0; j < vectors; ++j) row[j] = load(b + j * width);
    COUPLET_UNROLL
    for (int i = 0; i < tile_rows; ++i) {
      const Vec x = set1(a[i * row_stride]);
      COUPLET_UNROLL
      for (int j = 0; j < vectors; ++j) sums[i][j] = fma(x, row[j], sums[i][j]);
    }
  }
  COUPLET_UNROLL
  for (int i = 0; i < tile_rows; ++i) {
    COUPLET_UNROLL
    for (int j = 0; j < vectors; ++j) {
      float* const to = c + i * c_stride + j * width;
      store(to, accumulate ? add(load(to), sums[i][j]) : sums[i][j]);
    }
  }
}

/// C (m, n), whose rows and columns are written up to the next multiples of tile_rows and width.
template <Index row_stride>
inline void multiply(Index m, Index n, Index k, Left a, Right b, float* c, Index c_stride, bool accumulate) {
  for (Index j = 0; j < n; j += gemm::panel_columns, b.data += b.panel_step) {
    const float* tile = a.data;
    for (Index i = 0; i < m; i += tile_rows, tile += a.tile_step) {
      float* const to = c + i * c_stride + j;
      if (n - j > width) {
        multiply_tile<2, row_stride>(k, tile, a.step, b.data, b.step, to, c_stride, accumulate);
      } else {
        multiply_tile<1, row_stride>(k, tile, a.step, b.data, b.step, to, c_stride, accumulate);
      }
    }
  }
}

/// Scores (rows, n) = rows packed by gemm::pack_a times columns packed by gemm::pack_b, both with inner extent k.
inline void multiply_packed(Index rows, Index n, Index k, const float* a, const float* b, float* scores) {
  multiply<1>(rows, n, k, Left{a, tile_rows * k, tile_rows}, Right{b, k * gemm::panel_columns, gemm::panel_columns},
              scores, score_stride, false);
}

/// C (rows, columns) (+)= scores (rows, n) times B (n, columns), B and C with rows of `columns` elements.
inline void multiply_scores(Index rows, Index n, Index columns, const float* scores, const float* b, float* c,
                            bool accumulate) {
  multiply<score_stride>(rows, columns, n, Left{scores, tile_rows * score_stride, 1},
                         Right{b, gemm::panel_columns, columns}, c, columns, accumulate);
}

/// C (n, columns) += transposed scores (rows, n) times B (rows, columns), B and C with rows of `columns` elements.
inline void add_transposed_scores(Index rows, Index n, Index columns, const float* scores, const float* b, float* c) {
  multiply<1>(n, columns, rows, Left{scores, tile_rows, score_stride}, Right{b, gemm::panel_columns, columns}, c,
              columns, true);
}

/// Rows of `padded` elements, a multiple of the vector width; the elements beyond `columns` are 0.
inline void copy_padded(ConstRows from, Index rows, Index columns, Index padded, float* to) {
  for (Index r = 0; r < rows; ++r) {
    const float* const x = from.data + r * from.stride;
    float* const y = to + r * padded;
    for_each_vector(columns, [=](Index c, auto lanes) { store(y + c, lanes.load_or(x + c, 0.0F)); });
  }
}

inline void copy_unpadded(const float* from, Index padded, Index rows, Index columns, Rows to) {
  for (Index r = 0; r < rows; ++r) {
    const float* const x = from + r * padded;
    float* const y = to.data + r * to.stride;
    for_each_vector(columns, [=](Index c, auto lanes) { lanes.store_to(y + c, lanes.load_or(x + c, 0.0F)); });
  }
}

/// The keys [0, n) of a block that begins at key `first`, as far as the causal mask lets query t see them.
inline Index visible_keys(const AttentionHead& head, Index t, Index first, Index n) {
  if (!head.causal || t + 1 >= first + n) return n;
  return t + 1 > first ? t + 1 - first : 0;
}

// ---------------------------------------------------------------------------------------------------------- forward

/// Where things lie in the scratch memory; all offsets are multiples of 16 elements.
struct ForwardLayout {
  Index padded;    ///< width of rows in scratch
  Index k_panels;  ///< k, transposed and packed
  Index v;         ///< (keys, padded)
  Index q_panels;  ///< a block of queries, packed, and one vector's overhang
  Index scores;    ///< (query_block, score_stride)
  Index out;       ///< (query_block, padded): the sum of p v, not yet divided by the sum of p
  Index size;

  ForwardLayout(Index keys, Index head_width) {
    padded = round_up(head_width, 16);
    k_panels = 0;
    v = k_panels + round_up(keys, gemm::panel_columns) * padded;
    q_panels = v + keys * padded;
    scores = q_panels + query_block * padded + 16;
    out = scores + query_block * score_stride;
    size = out + query_block * padded;
  }
};

/// The running softmax of one query.
struct RowState {
  float maximum;  ///< of the logits so far
  float sum;      ///< of exp(logit - maximum)
};

/// Turns the first `visible` of n scores into exp(scale s - maximum) and the others into 0; what was summed up before
/// with the old maximum is multiplied to fit.
inline void softmax_row(float* s, Index visible, Index n, float scale, bool first_block, RowState& state, float* out,
                        Index padded) {
  if (visible > 0) {
    const float block_maximum = softmax::largest_of(s, visible) * scale;
    const float maximum = first_block || block_maximum > state.maximum ? block_maximum : state.maximum;
    const float block_sum = softmax::exp_and_sum(s, visible, scale, -maximum, s);
    if (first_block) {
      state.sum = block_sum;
    } else {
      const float kept = first(exp(set1(state.maximum - maximum)));
      state.sum = first(fma(set1(state.sum), set1(kept), set1(block_sum)));
      softmax::multiply(out, padded, kept);
    }
    state.maximum = maximum;
  }
  for (Index u = visible; u < n; ++u) s[u] = 0.0F;
}

/// Queries [begin, begin + n) of a head whose keys and values are in the scratch memory.
inline void forward_block(const AttentionHead& head, const ForwardLayout& at, Index begin, Index n, Rows to, Rows lse,
                          float* scratch) {
  const Index rows = round_up(n, tile_rows);
  const Index keys = head.causal ? begin + n : head.keys;
  float* const scores = scratch + at.scores;
  float* const out = scratch + at.out;
  RowState states[query_block];
  gemm::pack_a(head.q.data + begin * head.q.stride, head.q.stride, 1, n, head.width, scratch + at.q_panels);
  for (Index u = 0; u < keys; u += key_block) {
    const Index count = smaller(key_block, keys - u);
    multiply_packed(rows, count, head.width, scratch + at.q_panels, scratch + at.k_panels + u * head.width, scores);
    for (Index r = 0; r < n; ++r) {
      softmax_row(scores + r * score_stride, visible_keys(head, begin + r, u, count), count, head.scale, u == 0,
                  states[r], out + r * at.padded, at.padded);
    }
    multiply_scores(rows, count, at.padded, scores, scratch + at.v + u * at.padded, out, u > 0);
  }
  for (Index r = 0; r < n; ++r) {
    softmax::multiply(out + r * at.padded, at.padded, divide(1.0F, states[r].sum));
    if (lse.data != nullptr) lse.data[(begin + r) * lse.stride] = states[r].maximum + __builtin_logf(states[r].sum);
  }
  copy_unpadded(out, at.padded, n, head.width, Rows{to.data + begin * to.stride, to.stride});
}

inline void forward(const AttentionHead& head, Rows out, Rows lse, float* scratch) {
  const ForwardLayout at(head.keys, head.width);
  gemm::pack_b(head.k.data, 1, head.k.stride, head.width, head.keys, scratch + at.k_panels);
  copy_padded(head.v, head.keys, head.width, at.padded, scratch + at.v);
  const Index block = head.causal ? causal_query_block : query_block;
  for (Index begin = 0; begin < head.queries; begin += block) {
    forward_block(head, at, begin, smaller(block, head.queries - begin), out, lse, scratch);
  }
}

inline Index forward_scratch(Index keys, Index head_width) { return ForwardLayout(keys, head_width).size; }

// --------------------------------------------------------------------------------------------------------- backward

struct BackwardLayout {
  Index padded;       ///< width of rows in scratch
  Index k_panels;     ///< k, transposed and packed
  Index v_panels;     ///< v, transposed and packed
  Index k;            ///< (keys, padded)
  Index dk;           ///< (keys and a tile more, padded), summed over the blocks of queries
  Index dv;           ///< the same
  Index q;            ///< a block of queries, (query_block, padded)
  Index dout;         ///< the same
  Index q_panels;     ///< the block, packed, and one vector's overhang
  Index dout_panels;  ///< the same
  Index p;            ///< (query_block, score_stride): scores, then probabilities
  Index ds;           ///< (query_block, score_stride): dp, then ds
  Index dq;           ///< (query_block, padded)
  Index size;

  BackwardLayout(Index keys, Index head_width) {
    padded = round_up(head_width, 16);
    const Index panels = round_up(keys, gemm::panel_columns) * padded;
    const Index sums = (keys + tile_rows) * padded;
    const Index block = query_block * padded;
    k_panels = 0;
    v_panels = k_panels + panels;
    k = v_panels + panels;
    dk = k + keys * padded;
    dv = dk + sums;
    q = dv + sums;
    dout = q + block;
    q_panels = dout + block;
    dout_panels = q_panels + block + 16;
    p = dout_panels + block + 16;
    ds = p + query_block * score_stride;
    dq = ds + query_block * score_stride;
    size = dq + block;
  }
};

/// Scores become p = exp(scale s - lse), and dp becomes ds = scale p (dp - dout . out); 0 from `visible` to n.
inline void softmax_backward_row(float* s, float* dp, Index visible, Index n, float scale, float lse, float dout_out) {
  const Vec factor = set1(scale);
  const Vec shift = set1(-lse);
  const Vec row = set1(dout_out);
  for_each_vector(visible, [=](Index u, auto lanes) {
    const Vec p = softmax::exp_below_zero(fma(factor, lanes.load_or(s + u, softmax::far_below), shift));
    const Vec ds = mul(mul(factor, p), sub(lanes.load_or(dp + u, 0.0F), row));
    lanes.store_to(s + u, p);
    lanes.store_to(dp + u, ds);
  });
  for (Index u = visible; u < n; ++u) s[u] = dp[u] = 0.0F;
}

inline float dot(const float* a, const float* b, Index n) {
  return sum_over(n, [=](Index c, auto lanes) { return mul(lanes.load_or(a + c, 0.0F), lanes.load_or(b + c, 0.0F)); });
}

/// Queries [begin, begin + n): their dq, and their share of dk and dv.
inline void backward_block(const AttentionHead& head, const AttentionGradient& gradient, const BackwardLayout& at,
                           Index begin, Index n, float* scratch) {
  const Index rows = round_up(n, tile_rows);
  const Index keys = head.causal ? begin + n : head.keys;
  const ConstRows q{head.q.data + begin * head.q.stride, head.q.stride};
  const ConstRows dout{gradient.dout.data + begin * gradient.dout.stride, gradient.dout.stride};
  const float* const out = gradient.out.data + begin * gradient.out.stride;
  float dout_out[query_block];
  for (Index r = 0; r < n; ++r) {
    dout_out[r] = dot(dout.data + r * dout.stride, out + r * gradient.out.stride, head.width);
  }
  copy_padded(q, n, head.width, at.padded, scratch + at.q);
  copy_padded(dout, n, head.width, at.padded, scratch + at.dout);
  gemm::pack_a(q.data, q.stride, 1, n, head.width, scratch + at.q_panels);
  gemm::pack_a(dout.data, dout.stride, 1, n, head.width, scratch + at.dout_panels);
  float* const p = scratch + at.p;
  float* const ds = scratch + at.ds;
  for (Index u = 0; u < keys; u += key_block) {
    const Index count = smaller(key_block, keys - u);
    multiply_packed(rows, count, head.width, scratch + at.q_panels, scratch + at.k_panels + u * head.width, p);
    multiply_packed(rows, count, head.width, scratch + at.dout_panels, scratch + at.v_panels + u * head.width, ds);
    for (Index r = 0; r < n; ++r) {
      softmax_backward_row(p + r * score_stride, ds + r * score_stride, visible_keys(head, begin + r, u, count),
                           round_up(count, tile_rows), head.scale, gradient.lse.data[(begin + r) * gradient.lse.stride],
                           dout_out[r]);
    }
    add_transposed_scores(n, count, at.padded, p, scratch + at.dout, scratch + at.dv + u * at.padded);
    add_transposed_scores(n, count, at.padded, ds, scratch + at.q, scratch + at.dk + u * at.padded);
    multiply_scores(rows, count, at.padded, ds, scratch + at.k + u * at.padded, scratch + at.dq, u > 0);
  }
  copy_unpadded(scratch + at.dq, at.padded, n, head.width,
                Rows{gradient.dq.data + begin * gradient.dq.stride, gradient.dq.stride});
}

inline void backward(const AttentionHead& head, const AttentionGradient& gradient, float* scratch) {
  const BackwardLayout at(head.keys, head.width);
  gemm::pack_b(head.k.data, 1, head.k.stride, head.width, head.keys, scratch + at.k_panels);
  gemm::pack_b(head.v.data, 1, head.v.stride, head.width, head.keys, scratch + at.v_panels);
  copy_padded(head.k, head.keys, head.width, at.padded, scratch + at.k);
  for (float* sum = scratch + at.dk; sum != scratch + at.q; ++sum) *sum = 0.0F;
  const Index block = head.causal ? causal_query_block : query_block;
  for (Index begin = 0; begin < head.queries; begin += block) {
    backward_block(head, gradient, at, begin, smaller(block, head.queries - begin), scratch);
  }
  copy_unpadded(scratch + at.dk, at.padded, head.keys, head.width, gradient.dk);
  copy_unpadded(scratch + at.dv, at.padded, head.keys, head.width, gradient.dv);
}

inline Index backward_scratch(Index keys, Index head_width) { return BackwardLayout(keys, head_width).size; }

}  // namespace attention

inline constexpr AttentionKernels attention_kernels_table{&attention::forward_scratch, &attention::backward_scratch,
                                                          &attention::forward, &attention::backward};
