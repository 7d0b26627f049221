// Attention with products of bfloat16: what kernels/attention.inl needs of VDPBF16PS and of AMX. A word holds two
// neighbouring inner indices; sums, scores and the softmax are float32.
namespace attention {

/// How operands get into memory, the same for both instruction sets.
struct Bf16Operands {
  static constexpr Index per_word = 2;
  static constexpr bool scores_are_factors = false;
  static constexpr Index chunk = panel / per_word;  // words: a vector, and a row of a tile register
  static_assert(chunk == width);

  static inline void pack_rows(ConstRows x, Index rows, Index columns, Index chunk_step, float* to) {
    for (Index r = 0; r < rows; ++r) {
      const float* const row = x.data + r * x.stride;
      for (Index c = 0; c < columns; c += 2 * width) {
        store(to + c / panel * chunk_step + r * chunk, gemm_bf16::convert_pairs(row + c, columns - c));
      }
    }
  }
  /// Whole blocks of 16 words are written.
  static inline void pack_transposed(ConstRows x, Index rows, Index columns, float* to) {
    for (Index v = 0; v * width < rows; ++v) {
      const float* const from = x.data + v * width * x.stride;
      for (Index c = 0; c < columns; c += 2 * width, to += width * panel) {
        Vec pairs[width];
        gemm_bf16::convert_rows(from + c, x.stride, rows - v * width, columns - c, pairs);
        transpose(pairs);
        for (Index p = 0; p < width; ++p) store(to + p * panel + v * width, pairs[p]);
      }
      to -= round_up(columns, 2 * width) / per_word * panel;
    }
  }
  template <Index word_block>
  static inline void pack_pairs(ConstRows x, Index rows, Index columns, Index padded, float* to) {
    const Index pairs = round_up((rows + 1) / 2, word_block);
    for (Index p = 0; p < pairs; ++p, to += padded) {
      const float* const row = x.data + 2 * p * x.stride;
      for (Index c = 0; c < columns; c += width) {
        const Vec even = gemm_bf16::load_some(row + c, 2 * p < rows ? columns - c : 0);
        const Vec odd = gemm_bf16::load_some(row + x.stride + c, 2 * p + 1 < rows ? columns - c : 0);
        store(to + c, bf16_interleave(even, odd));
      }
    }
  }

  static COUPLET_FORCE_INLINE void store_columns(float* to, Index u, Index v, Vec even, Vec odd) {
    store(to + u / 2 * panel + v * width, bf16_interleave(even, odd));
  }
  static COUPLET_FORCE_INLINE void store_row(float* to, Index u, const Vec (&x)[2]) {
    store(to + u * chunk, bf16_convert(x[0], x[1]));
  }
};

/// VDPBF16PS, with the loops of float32.
struct Bf16Dot : Bf16Operands {
  struct Scope {};
  static constexpr Index word_block = 1;

  static COUPLET_FORCE_INLINE Vec multiply_add(Vec a, Vec b, Vec sum) { return bf16_dot(a, b, sum); }
  static inline void multiply_rows(Ahead& ahead, Index m, Index n, Index k, Left a, Right b, Result c) {
    multiply_in_vectors<Bf16Dot, InRows<Bf16Dot>>(ahead, m, n, k, a, b, c);
  }
  static inline void multiply_columns(Ahead& ahead, Index m, Index n, Index k, const float* a, Right b, Result c) {
    multiply_in_vectors<Bf16Dot, InColumns<Bf16Dot>>(ahead, m, n, k, Left{a}, b, c);
  }
  static inline void pack_right(ConstRows x, Index rows, Index columns, Index padded, float* to) {
    pack_pairs<word_block>(x, rows, columns, padded, to);
  }
  static COUPLET_FORCE_INLINE void finish_columns(float* /*columns*/, Index /*keys*/) {}
};

/// TDPBF16PS: blocks of up to 2 x 2 tiles of 16 rows and 16 columns. Left factors are tiles in rows only, so what was
/// stored in columns is transposed; inner indices are zero up to whole tiles. Rows up to a whole tile are written: they
/// lie behind the last key or query, because panels and blocks of keys are whole tiles.
struct Bf16Tiles : Bf16Operands {
  using Scope = TileScope;
  static constexpr Index word_block = 16;

  /// Rows 16.. exist when `lower`, columns 16.. when `right`.
  template <bool lower, bool right>
  static inline void multiply_block(Index k, Left a, Right b, Result c) {
    float* const lower_c = c.data + width * c.stride;
    const Index c_bytes = c.stride * 4;
    const Index b_bytes = b.step * 4;
    tile_zero<0>();
    tile_zero<1>();
    tile_zero<2>();
    tile_zero<3>();
    if (c.accumulate) {
      tile_load<0>(c.data, c_bytes);
      if constexpr (right) tile_load<1>(c.data + width, c_bytes);
      if constexpr (lower) tile_load<2>(lower_c, c_bytes);
      if constexpr (lower && right) tile_load<3>(lower_c + width, c_bytes);
    }
    for (Index p = 0; p < k; p += word_block, a.data += a.chunk_step, b.data += word_block * b.step) {
      tile_load<4>(a.data, chunk * 4);
      tile_load<6>(b.data, b_bytes);
      tile_multiply<0, 4, 6>();
      if constexpr (right) tile_load<7>(b.data + width, b_bytes);
      if constexpr (right) tile_multiply<1, 4, 7>();
      if constexpr (lower) tile_load<5>(a.data + width * chunk, chunk * 4);
      if constexpr (lower) tile_multiply<2, 5, 6>();
      if constexpr (lower && right) tile_multiply<3, 5, 7>();
    }
    tile_store<0>(c.data, c_bytes);
    if constexpr (right) tile_store<1>(c.data + width, c_bytes);
    if constexpr (lower) tile_store<2>(lower_c, c_bytes);
    if constexpr (lower && right) tile_store<3>(lower_c + width, c_bytes);
  }

  static inline void multiply_rows(Ahead& ahead, Index m, Index n, Index k, Left a, Right b, Result c) {
    for (Index j = 0; j < n; j += 2 * width) {
      for (Index i = 0; i < m; i += 2 * width) {
        ahead.for_a_tile();
        const Left rows{a.data + i * chunk, a.chunk_step};
        const Right columns{b.data + j, b.step};
        const Result to{c.data + i * c.stride + j, c.stride, c.accumulate};
        const bool lower = m - i > width;
        if (n - j > width) {
          lower ? multiply_block<true, true>(k, rows, columns, to) : multiply_block<false, true>(k, rows, columns, to);
        } else {
          lower ? multiply_block<true, false>(k, rows, columns, to)
                : multiply_block<false, false>(k, rows, columns, to);
        }
      }
    }
  }
  static inline void multiply_columns(Ahead& ahead, Index m, Index n, Index k, const float* a, Right b, Result c) {
    multiply_rows(ahead, m, n, k, Left{a, panel * chunk}, b, c);
  }
  static inline void pack_right(ConstRows x, Index rows, Index columns, Index padded, float* to) {
    pack_pairs<word_block>(x, rows, columns, padded, to);
  }

  /// 16 words of all queries, (word, query), become (query, word) in the same memory.
  static inline void finish_columns(float* columns, Index keys) {
    const Index pairs = (keys + 1) / 2;
    for (Index p = pairs; p < round_up(pairs, word_block); ++p) {
      store(columns + p * panel, set1(0.0F));
      store(columns + p * panel + width, set1(0.0F));
    }
    for (Index p = 0; p < pairs; p += word_block, columns += word_block * panel) {
      Vec low[width];
      Vec high[width];
      for (Index r = 0; r < width; ++r) low[r] = load(columns + r * panel);
      for (Index r = 0; r < width; ++r) high[r] = load(columns + r * panel + width);
      transpose(low);
      transpose(high);
      for (Index r = 0; r < width; ++r) store(columns + r * chunk, low[r]);
      for (Index r = 0; r < width; ++r) store(columns + (width + r) * chunk, high[r]);
    }
  }
};

}  // namespace attention

inline constexpr AttentionKernels bf16_attention_dot_table = attention::table<attention::Bf16Dot>;
inline constexpr AttentionKernels bf16_attention_amx_table = attention::table<attention::Bf16Tiles>;
