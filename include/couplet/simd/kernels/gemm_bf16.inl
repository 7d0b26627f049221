// Products of bfloat16 operands; simd/gemm_bf16.hpp says what they compute and how operands lie in memory.
namespace gemm_bf16 {

using bf16::padded_depth;
using bf16::panel_columns;
using bf16::tile_depth;
using bf16::tile_rows;
using bf16::tile_size;

/// Tiles of B that stay in the first-level cache while the rows of A pass by: 8 are 16 KiB. A prototype of
/// this blocking on Sapphire Rapids: 8 gave 1.6 to 1.9 TFLOP/s a thread, 12 gave 1.4 to 1.6, all of k = 768 1.1
/// to 1.25.
inline constexpr Index depth_of_block = 8;
inline constexpr Index strip_columns = panel_columns;

// ---------------------------------------------------------------------------------------------------------- packing

COUPLET_FORCE_INLINE Index smaller(Index a, Index b) { return a < b ? a : b; }

/// Up to `width` floats, zero beyond n (n may be negative).
COUPLET_FORCE_INLINE Vec load_some(const float* x, Index n) {
  return n >= width ? load(x) : (n > 0 ? load_n(x, n, 0.0F) : set1(0.0F));
}

COUPLET_FORCE_INLINE void store_bf16(bfloat16* to, Vec both) { _mm512_storeu_si512(to, _mm512_castps_si512(both)); }

/// 32 neighbouring floats, zero beyond n, as 16 pairs of bfloat16.
COUPLET_FORCE_INLINE Vec convert_pairs(const float* x, Index n) {
  return bf16_convert(load_some(x, n), load_some(x + width, n - width));
}

/// Vector r: the 16 pairs along k of row r. Rows are `stride` floats apart; zero beyond `rows` and `depth`.
COUPLET_FORCE_INLINE void convert_rows(const float* x, Index stride, Index rows, Index depth, Vec (&pairs)[16]) {
  for (Index r = 0; r < tile_rows; ++r) pairs[r] = r < rows ? convert_pairs(x + r * stride, depth) : set1(0.0F);
}

/// Vector p: the pair p of 16 columns. Rows of k are `stride` floats apart; zero beyond `depth` and `columns`.
COUPLET_FORCE_INLINE void interleave_rows(const float* x, Index stride, Index depth, Index columns, Vec (&pairs)[16]) {
  for (Index p = 0; p < tile_rows; ++p) {
    const float* const row = x + 2 * p * stride;
    const Vec even = 2 * p < depth ? load_some(row, columns) : set1(0.0F);
    const Vec odd = 2 * p + 1 < depth ? load_some(row + stride, columns) : set1(0.0F);
    pairs[p] = bf16_interleave(even, odd);
  }
}

COUPLET_FORCE_INLINE void store_tile(bfloat16* to, const Vec (&pairs)[16]) {
  for (Index r = 0; r < tile_rows; ++r) store_bf16(to + r * tile_depth, pairs[r]);
}

/// A tile of A is `rows` of pairs along k; a tile of B is `columns` of them, transposed. A matrix that is contiguous
/// along k gives rows, one that is contiguous across k gives them transposed.
COUPLET_FORCE_INLINE void pack_tile(const float* x, Index stride, bool contiguous_in_k, bool transposed, Index across,
                                    Index depth, bfloat16* to) {
  Vec pairs[16];
  if (contiguous_in_k) {
    convert_rows(x, stride, across, depth, pairs);
  } else {
    interleave_rows(x, stride, depth, across, pairs);
  }
  if (transposed) transpose(pairs);
  store_tile(to, pairs);
}

inline void pack_a(const float* a, Index row_stride, Index column_stride, Index m, Index k, bfloat16* panels) {
  const bool contiguous = column_stride == 1;
  const Index depth = padded_depth(k);
  for (Index i = 0; i < m; i += tile_rows) {
    for (Index p = 0; p < k; p += tile_depth) {
      pack_tile(a + i * row_stride + p * column_stride, contiguous ? row_stride : column_stride, contiguous,
                !contiguous, m - i, k - p, panels + i * depth + p * tile_rows);
    }
  }
}

inline void pack_b(const float* b, Index row_stride, Index column_stride, Index k, Index n, bfloat16* panels) {
  const bool contiguous = row_stride == 1;
  const Index depth = padded_depth(k);
  for (Index j = 0; j < n; j += panel_columns) {
    for (Index p = 0; p < k; p += tile_depth) {
      bfloat16* const tiles = panels + j * depth + p * panel_columns;
      for (Index half = 0; half < panel_columns; half += width) {
        pack_tile(b + p * row_stride + (j + half) * column_stride, contiguous ? column_stride : row_stride, contiguous,
                  contiguous, n - j - half, k - p, tiles + half / width * tile_size);
      }
    }
  }
}

inline void pack_row(const float* x, Index k, bfloat16* row) {
  for (Index p = 0; p < k; p += tile_depth) store_bf16(row + p * tile_rows, convert_pairs(x + p, k - p));
}

// --------------------------------------------------------------------------------------------------------- products

/// Asks for a cache line of the next panel of B in the second-level cache.
COUPLET_FORCE_INLINE void prefetch_line(const void* line) { __builtin_prefetch(line, 0, 2); }

// A unit multiplies up to block_rows rows of one panel of A with one panel of B over `tiles` tiles of k, into strips of
// strip_columns sums at c. Meanwhile it asks for as many tiles at `ahead`, from where B goes on.

/// In registers: up to 16 accumulators, 2 vectors of B and one broadcast of A.
struct Dot {
  static constexpr Index block_rows = 8;
  struct Scope {};

  template <int rows>
  static inline void multiply_rows(Index tiles, const bfloat16* a, const bfloat16* b, const bfloat16* ahead, float* c,
                                   bool first) {
    Vec sums[rows][2];
    COUPLET_UNROLL
    for (int r = 0; r < rows; ++r) {
      COUPLET_UNROLL
      for (int v = 0; v < 2; ++v) sums[r][v] = first ? set1(0.0F) : load(c + r * strip_columns + v * width);
    }
    const float* pairs_a = reinterpret_cast<const float*>(a);
    const float* pairs_b = reinterpret_cast<const float*>(b);
    for (Index t = 0; t < tiles; ++t, pairs_a += tile_size / 2, pairs_b += tile_size, ahead += 2 * tile_size) {
      for (Index p = 0; p < tile_rows; ++p) {
        const Vec low = load(pairs_b + p * width);
        const Vec high = load(pairs_b + tile_size / 2 + p * width);
        prefetch_line(ahead + 2 * p * tile_depth);
        prefetch_line(ahead + (2 * p + 1) * tile_depth);
        COUPLET_UNROLL
        for (int r = 0; r < rows; ++r) {
          const Vec x = set1(pairs_a[r * (tile_depth / 2) + p]);
          sums[r][0] = bf16_dot(x, low, sums[r][0]);
          sums[r][1] = bf16_dot(x, high, sums[r][1]);
        }
      }
    }
    COUPLET_UNROLL
    for (int r = 0; r < rows; ++r) {
      COUPLET_UNROLL
      for (int v = 0; v < 2; ++v) store(c + r * strip_columns + v * width, sums[r][v]);
    }
  }

  /// The smallest kernel with so many rows: the 50 rows of one picture are 6 blocks and a quarter. Same bits.
  static inline void multiply(Index rows, Index tiles, const bfloat16* a, Index /*next_panel*/, const bfloat16* b,
                              const bfloat16* ahead, float* c, bool first) {
    switch ((rows + 1) / 2) {
      case 1:
        return multiply_rows<2>(tiles, a, b, ahead, c, first);
      case 2:
        return multiply_rows<4>(tiles, a, b, ahead, c, first);
      case 3:
        return multiply_rows<6>(tiles, a, b, ahead, c, first);
      default:
        return multiply_rows<8>(tiles, a, b, ahead, c, first);
    }
  }
};

/// The same in tile registers: 2 x 2 tiles of sums from two panels of A and one of B. A second panel that does not
/// exist may be any memory of a panel's size: its sums are not used.
struct Tiles {
  static constexpr Index block_rows = 32;
  using Scope = TileScope;

  static inline void multiply(Index /*rows*/, Index tiles, const bfloat16* a, Index next_panel, const bfloat16* b,
                              const bfloat16* ahead, float* c, bool first) {
    constexpr Index row_bytes = tile_depth * 2;
    constexpr Index strip_bytes = strip_columns * 4;
    float* const lower = c + tile_rows * strip_columns;
    if (first) {
      tile_zero<0>();
      tile_zero<1>();
      tile_zero<2>();
      tile_zero<3>();
    } else {
      tile_load<0>(c, strip_bytes);
      tile_load<1>(c + width, strip_bytes);
      tile_load<2>(lower, strip_bytes);
      tile_load<3>(lower + width, strip_bytes);
    }
    for (Index t = 0; t < tiles; ++t, a += tile_size, b += 2 * tile_size, ahead += 2 * tile_size) {
      for (Index line = 0; line < 2 * tile_size; line += tile_depth) prefetch_line(ahead + line);
      tile_load<4>(a, row_bytes);
      tile_load<6>(b, row_bytes);
      tile_multiply<0, 4, 6>();
      tile_load<7>(b + tile_size, row_bytes);
      tile_multiply<1, 4, 7>();
      tile_load<5>(a + next_panel, row_bytes);
      tile_multiply<2, 5, 6>();
      tile_multiply<3, 5, 7>();
    }
    tile_store<0>(c, strip_bytes);
    tile_store<1>(c + width, strip_bytes);
    tile_store<2>(lower, strip_bytes);
    tile_store<3>(lower + width, strip_bytes);
  }
};

/// Row block so that its A fills about half of the second-level cache: 1 MiB on Zen 4, 2 MiB on Sapphire Rapids.
template <Index bytes>
inline Index block_rows(Index k) {
  const Index rows = bytes / 2 / (k > 0 ? padded_depth(k) : 1) / 32 * 32;
  return rows < 32 ? 32 : (rows > 448 ? 448 : rows);
}

/// The epilogue on one strip of finished sums: m rows, columns [column, column + n), n <= 32.
template <Activation kind>
inline void finish_strip(const Bf16Epilogue& e, Index row, Index m, Index column, Index n, const float* strip) {
  for (Index r = 0; r < m; ++r, strip += strip_columns) {
    Vec values[2];
    COUPLET_UNROLL
    for (int v = 0; v < 2; ++v) {
      const Index lanes = smaller(n - v * width, width);
      const Index at = column + v * width;
      Vec x = load(strip + v * width);
      if (e.bias != nullptr) x = add(x, load_some(e.bias + at, lanes));
      if (e.preactivation != nullptr && lanes > 0) {
        store_n(e.preactivation + (row + r) * e.preactivation_stride + at, x, lanes);
      }
      x = activation<kind>(x);
      values[v] = x;
      if (e.y == nullptr || lanes <= 0) continue;
      float* const y = e.y + (row + r) * e.y_stride + at;
      store_n(y, e.accumulate ? add(load_n(y, lanes, 0.0F), x) : x, lanes);
    }
    if (e.operand != nullptr) {
      store_bf16(e.operand + bf16::a_offset(row + r, column, e.operand_depth), bf16_convert(values[0], values[1]));
    }
  }
}

using Finish = void (*)(const Bf16Epilogue&, Index row, Index m, Index column, Index n, const float* strip);

inline Finish choose_finish(Activation kind) {
  switch (kind) {
    case Activation::gelu:
      return &finish_strip<Activation::gelu>;
    case Activation::gelu_tanh:
      return &finish_strip<Activation::gelu_tanh>;
    case Activation::quick_gelu:
      return &finish_strip<Activation::quick_gelu>;
    case Activation::relu:
      return &finish_strip<Activation::relu>;
    case Activation::silu:
      return &finish_strip<Activation::silu>;
    case Activation::identity:
      break;
  }
  return &finish_strip<Activation::identity>;
}

template <class Unit>
inline void multiply(const Bf16Product& p, float* scratch, Index rows_at_a_time) {
  [[maybe_unused]] const typename Unit::Scope scope;
  const Index depth = padded_depth(p.k);
  const Index tiles = depth / tile_depth;
  const Finish finish = choose_finish(p.epilogue.activation);
  for (Index row = 0; row < p.m; row += rows_at_a_time) {
    const Index m = smaller(rows_at_a_time, p.m - row);
    for (Index j = 0; j < p.n; j += panel_columns) {
      const bfloat16* const b = p.b + j * depth;
      for (Index t = 0; t == 0 || t < tiles; t += depth_of_block) {
        const Index some = smaller(depth_of_block, tiles - t);
        for (Index i = 0; i < m; i += Unit::block_rows) {
          const Index panel = (row + i) / tile_rows;
          const bfloat16* const a =
              p.a + panel * tile_rows * depth + (row + i) % tile_rows * tile_depth + t * tile_size;
          const Index next_panel = m - i > tile_rows ? tile_rows * depth : 0;
          const bfloat16* const tiles_b = b + t * 2 * tile_size;
          const bfloat16* const ahead = i == 0 && j + panel_columns < p.n ? tiles_b + depth * panel_columns : tiles_b;
          Unit::multiply(m - i, some, a, next_panel, tiles_b, ahead, scratch + i * strip_columns, t == 0);
        }
      }
      finish(p.epilogue, row, m, j, smaller(panel_columns, p.n - j), scratch);
    }
  }
}

inline constexpr Index dot_block_bytes = 512 * 1024;
inline constexpr Index tiles_block_bytes = 1024 * 1024;

inline void multiply_dot(const Bf16Product& p, float* scratch) {
  multiply<Dot>(p, scratch, block_rows<dot_block_bytes>(p.k));
}
inline void multiply_tiles(const Bf16Product& p, float* scratch) {
  multiply<Tiles>(p, scratch, block_rows<tiles_block_bytes>(p.k));
}

}  // namespace gemm_bf16

inline constexpr Bf16GemmKernels bf16_gemm_dot_table{&gemm_bf16::pack_a, &gemm_bf16::pack_b, &gemm_bf16::pack_row,
                                                     &gemm_bf16::multiply_dot,
                                                     &gemm_bf16::block_rows<gemm_bf16::dot_block_bytes>};
inline constexpr Bf16GemmKernels bf16_gemm_amx_table{&gemm_bf16::pack_a, &gemm_bf16::pack_b, &gemm_bf16::pack_row,
                                                     &gemm_bf16::multiply_tiles,
                                                     &gemm_bf16::block_rows<gemm_bf16::tiles_block_bytes>};
