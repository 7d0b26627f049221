// Matrix products on the vectors of one level; simd/gemm.hpp says what they compute.
namespace gemm {

inline constexpr Index panel_columns = tile_vectors * width;
inline constexpr Index chunk = 256;                  // B's share of a panel, 256 x 32 floats, is 32 KiB
inline constexpr Index block_rows = 36 * tile_rows;  // A's packed block: 504 x 256 floats, half a MiB, for the L2 cache
inline constexpr Index copy_depth = 8;  // inner indices copied before the next panel: whole cache lines are used
static_assert(tile_rows <= width);

// ---------------------------------------------------------------------------------------------------------- packing

/// `count` <= width vectors along k from rows of stride `stride`, zero where there is no row (rows <= width) or no k.
COUPLET_FORCE_INLINE void load_transposed(const float* x, Index stride, Index rows, Index count,
                                          Vec (&columns)[width]) {
  for (int r = 0; r < width; ++r) {
    if (r >= rows) {
      columns[r] = set1(0.0F);
    } else {
      columns[r] = count >= width ? load(x + r * stride) : load_n(x + r * stride, count, 0.0F);
    }
  }
  transpose(columns);
}

/// One panel of B whose columns are contiguous in memory: (n, k) row-major, as the weights of a linear layer.
inline void pack_b_transposed(const float* b, Index column_stride, Index k, Index n, float* panel) {
  for (Index p = 0; p < k; p += width) {
    const Index count = k - p < width ? k - p : width;
    for (int v = 0; v < tile_vectors; ++v) {
      const Index columns = n - v * width;
      Vec x[width];
      load_transposed(b + v * width * column_stride + p, column_stride, columns, count, x);
      for (Index i = 0; i < count; ++i) store(panel + (p + i) * panel_columns + v * width, x[i]);
    }
  }
}

/// Inner indices [begin, end) of one panel of B whose rows are contiguous in memory: (k, n) row-major.
inline void pack_b_straight(const float* b, Index row_stride, Index begin, Index end, Index n, float* panel) {
  for (Index p = begin; p < end; ++p) {
    for (int v = 0; v < tile_vectors; ++v) {
      const float* const from = b + p * row_stride + v * width;
      const Index columns = n - v * width;
      const Vec x = columns >= width ? load(from) : load_n(from, columns > 0 ? columns : 0, 0.0F);
      store(panel + p * panel_columns + v * width, x);
    }
  }
}

/// One panel of B in any layout.
inline void pack_b_strided(const float* b, Index row_stride, Index column_stride, Index k, Index n, float* panel) {
  for (Index p = 0; p < k; ++p) {
    for (Index j = 0; j < panel_columns; ++j) {
      panel[p * panel_columns + j] = j < n ? b[p * row_stride + j * column_stride] : 0.0F;
    }
  }
}

inline void pack_b(const float* b, Index row_stride, Index column_stride, Index k, Index n, float* panels) {
  const Index depth = column_stride == 1 ? copy_depth : k;
  for (Index p = 0; p < k; p += depth) {
    for (Index j = 0; j < n; j += panel_columns) {
      const Index columns = n - j < panel_columns ? n - j : panel_columns;
      const float* const from = b + j * column_stride;
      float* const panel = panels + j * k;
      if (column_stride == 1) {
        pack_b_straight(from, row_stride, p, k - p < depth ? k : p + depth, columns, panel);
      } else if (row_stride == 1) {
        pack_b_transposed(from, column_stride, k, columns, panel);
      } else {
        pack_b_strided(from, row_stride, column_stride, k, columns, panel);
      }
    }
  }
}

// A's panels are (k, tile_rows). They are written by whole vectors in rising order: a vector's lanes beyond tile_rows
// are overwritten by its successor, and the last one's by the next panel or into the reserve of scratch_size().

/// One panel of A, row-major.
inline void pack_a_transposed(const float* a, Index row_stride, Index rows, Index k, float* panel) {
  for (Index p = 0; p < k; p += width) {
    const Index count = k - p < width ? k - p : width;
    Vec x[width];
    load_transposed(a + p, row_stride, rows, count, x);
    for (Index i = 0; i < count; ++i) store(panel + (p + i) * tile_rows, x[i]);
  }
}

/// Inner indices [begin, end) of one panel of A that is the transpose of a row-major matrix. `reach` rows may be read.
/// The next panel's beginning is there already, so the last vector stays inside its panel.
inline void pack_a_straight(const float* a, Index column_stride, Index begin, Index end, Index reach, Index k,
                            float* panel) {
  for (Index p = begin; p < end; ++p) {
    const float* const from = a + p * column_stride;
    const Vec x = reach >= width ? load(from) : load_n(from, reach, 0.0F);
    if (p + 1 < k) {
      store(panel + p * tile_rows, x);
    } else {
      store_n(panel + p * tile_rows, x, tile_rows);
    }
  }
}

/// One panel of A in any layout.
inline void pack_a_strided(const float* a, Index row_stride, Index column_stride, Index rows, Index k, float* panel) {
  for (Index p = 0; p < k; ++p) {
    for (Index i = 0; i < tile_rows; ++i) {
      panel[p * tile_rows + i] = i < rows ? a[i * row_stride + p * column_stride] : 0.0F;
    }
  }
}

inline void pack_a(const float* a, Index row_stride, Index column_stride, Index m, Index k, float* panels) {
  const bool straight = row_stride == 1 && column_stride != 1;
  const Index depth = straight ? copy_depth : (k > 0 ? k : 1);
  for (Index p = 0; p < k; p += depth) {
    const Index end = k - p < depth ? k : p + depth;
    for (Index i = 0; i < m; i += tile_rows) {
      const float* const from = a + i * row_stride;
      float* const panel = panels + i * k;
      if (straight) {
        pack_a_straight(from, column_stride, p, end, m - i, k, panel);
      } else if (column_stride == 1) {
        pack_a_transposed(from, row_stride, m - i < tile_rows ? m - i : tile_rows, k, panel);
      } else {
        pack_a_strided(from, row_stride, column_stride, m - i, k, panel);
      }
    }
  }
}

// ----------------------------------------------------------------------------------------------------------- product

/// One tile: c (rows, panel_columns) = or += A B over k inner indices. All sums stay in registers. Meanwhile it asks
/// for k steps of panel_columns floats at `ahead`.
template <int rows>
__attribute__((noinline)) inline void multiply_tile(Index k, const float* a, const float* b, float* c, Index c_stride,
                                                    bool accumulate, const float* ahead) {
  Vec sums[rows][tile_vectors];
  COUPLET_UNROLL
  for (int r = 0; r < rows; ++r) {
    COUPLET_UNROLL
    for (int v = 0; v < tile_vectors; ++v) sums[r][v] = set1(0.0F);
  }
  for (Index p = 0; p < k; ++p) {
    Vec bs[tile_vectors];
    COUPLET_UNROLL
    for (int v = 0; v < tile_vectors; ++v) bs[v] = load(b + v * width);
    COUPLET_UNROLL
    for (int j = 0; j < panel_columns; j += 16) __builtin_prefetch(ahead + j, 0, 2);
    ahead += panel_columns;
    COUPLET_UNROLL
    for (int r = 0; r < rows; ++r) {
      const Vec as = set1(a[r]);
      COUPLET_UNROLL
      for (int v = 0; v < tile_vectors; ++v) sums[r][v] = fma(as, bs[v], sums[r][v]);
    }
    a += tile_rows;
    b += panel_columns;
  }
  COUPLET_UNROLL
  for (int r = 0; r < rows; ++r) {
    COUPLET_UNROLL
    for (int v = 0; v < tile_vectors; ++v) {
      float* const to = c + r * c_stride + v * width;
      store(to, accumulate ? add(load(to), sums[r][v]) : sums[r][v]);
    }
  }
}

using TileKernel = void (*)(Index k, const float* a, const float* b, float* c, Index c_stride, bool accumulate,
                            const float* ahead);

/// The smallest kernel that has m rows, m <= tile_rows, and its number of rows. Rows do not depend on each other, so
/// all kernels give the same bits.
struct TileChoice {
  TileKernel kernel;
  Index rows;
};
inline TileChoice choose_tile(Index m) {
  constexpr int half = (tile_rows + 2) / 2;
  constexpr int quarter = (tile_rows + 3) / 4;
  if (m <= quarter) return {&multiply_tile<quarter>, quarter};
  if (m <= half) return {&multiply_tile<half>, half};
  return {&multiply_tile<tile_rows>, tile_rows};
}

/// A tile at the edge of C (m rows and n columns of it exist) is computed in a temporary.
inline void multiply_edge(const TileChoice& tile, Index m, Index n, Index k, const float* a, const float* b, float* c,
                          Index c_stride, bool accumulate, const float* ahead) {
  alignas(64) float whole[tile_rows * panel_columns];
  const auto vector_lanes = [n](Index j) { return n - j < width ? n - j : width; };
  if (accumulate) {
    for (Index r = 0; r < tile.rows; ++r) {
      for (Index j = 0; j < panel_columns; j += width) {
        const bool exists = r < m && j < n;
        store(whole + r * panel_columns + j, exists ? load_n(c + r * c_stride + j, vector_lanes(j), 0.0F) : set1(0.0F));
      }
    }
  }
  tile.kernel(k, a, b, whole, panel_columns, accumulate, ahead);
  for (Index r = 0; r < m; ++r) {
    for (Index j = 0; j < n; j += width) {
      store_n(c + r * c_stride + j, load(whole + r * panel_columns + j), vector_lanes(j));
    }
  }
}

/// The epilogue on a tile of finished sums while it is in the first-level cache.
template <Activation kind>
inline void finish_tile(const GemmEpilogue& epilogue, Index m, Index n, Index row, Index column, float* c,
                        Index c_stride) {
  for (Index r = 0; r < m; ++r) {
    float* const z = c + r * c_stride;
    float* const y = epilogue.y != nullptr ? epilogue.y + (row + r) * epilogue.y_stride + column : z;
    for (Index j = 0; j < n; j += width) {
      const Index lanes = n - j < width ? n - j : width;
      Vec x = load_n(z + j, lanes, 0.0F);
      if (epilogue.bias != nullptr) x = add(x, load_n(epilogue.bias + column + j, lanes, 0.0F));
      if (y != z) store_n(z + j, x, lanes);
      x = activation<kind>(x);
      if (epilogue.accumulate) x = add(load_n(y + j, lanes, 0.0F), x);
      store_n(y + j, x, lanes);
    }
  }
}

using Finish = void (*)(const GemmEpilogue&, Index m, Index n, Index row, Index column, float* c, Index c_stride);

/// The epilogue's code; none when there is nothing to do.
inline Finish choose_finish(const GemmEpilogue& epilogue) {
  switch (epilogue.activation) {
    case Activation::gelu:
      return &finish_tile<Activation::gelu>;
    case Activation::gelu_tanh:
      return &finish_tile<Activation::gelu_tanh>;
    case Activation::quick_gelu:
      return &finish_tile<Activation::quick_gelu>;
    case Activation::relu:
      return &finish_tile<Activation::relu>;
    case Activation::silu:
      return &finish_tile<Activation::silu>;
    case Activation::identity:
      break;
  }
  const bool nothing = epilogue.bias == nullptr && epilogue.y == nullptr;
  return nothing ? nullptr : &finish_tile<Activation::identity>;
}

/// Asks for the cache lines of a tile of C before the tile is computed.
COUPLET_FORCE_INLINE void prefetch_tile(const float* c, Index c_stride, Index rows) {
  for (Index r = 0; r < rows; ++r) {
    for (Index j = 0; j < panel_columns; j += 16) __builtin_prefetch(c + r * c_stride + j, 1, 3);
  }
}

/// Rows [row, row + m) times one chunk of depth k that begins at inner index `begin`: all panels of B against the
/// packed block `a`. A panel's chunk of B stays in the first-level cache while the block of A comes from the second.
inline void multiply_block(const GemmProduct& p, Index row, Index m, Index begin, Index k, const float* a,
                           Finish finish) {
  const bool accumulate = p.accumulate || begin > 0;
  const bool last = begin + k >= p.k;
  for (Index j = 0; j < p.n; j += panel_columns) {
    const float* const b = p.b + j * p.k + begin * panel_columns;
    const Index n = p.n - j < panel_columns ? p.n - j : panel_columns;
    for (Index i = 0; i < m; i += tile_rows) {
      const Index rows = m - i < tile_rows ? m - i : tile_rows;
      const TileChoice tile = choose_tile(rows);
      float* const c = p.c + (row + i) * p.c_stride + j;
      const float* const ahead = i == 0 && j + panel_columns < p.n ? b + panel_columns * p.k : b;
      if (tile.rows == rows && n == panel_columns) {
        prefetch_tile(c, p.c_stride, rows);
        tile.kernel(k, a + i * k, b, c, p.c_stride, accumulate, ahead);
      } else {
        multiply_edge(tile, rows, n, k, a + i * k, b, c, p.c_stride, accumulate, ahead);
      }
      if (last && finish != nullptr) finish(p.epilogue, rows, n, row + i, j, c, p.c_stride);
    }
  }
}

inline void multiply(const GemmProduct& p, float* scratch) {
  const Finish finish = choose_finish(p.epilogue);
  for (Index begin = 0; begin == 0 || begin < p.k; begin += chunk) {  // once for k = 0: C becomes 0
    const Index k = p.k - begin < chunk ? p.k - begin : chunk;
    for (Index row = 0; row < p.m; row += block_rows) {
      const Index m = p.m - row < block_rows ? p.m - row : block_rows;
      pack_a(p.a + row * p.a_row_stride + begin * p.a_column_stride, p.a_row_stride, p.a_column_stride, m, k, scratch);
      multiply_block(p, row, m, begin, k, scratch, finish);
    }
  }
}

}  // namespace gemm

inline constexpr GemmKernels gemm_kernels_table{tile_rows,   gemm::panel_columns, gemm::block_rows,
                                                gemm::chunk, &gemm::pack_b,       &gemm::multiply};
