// Products of attention's kernels; see kernels/attention.inl.
//
// They work on words of 32 bits, which hold one float32 inner index or two neighbouring bfloat16 ones, and know factors
// in three forms:
//   rows     left factor, word (i, p) at [p / word_chunk][i][p % word_chunk]
//   columns  left factor, word (i, p) at [p][i], rows of `panel` words
//   right    right factor, word (p, j) at [p][j]
namespace attention {

inline constexpr Index panel = 2 * width;  // queries computed together: two vectors of scores per key
inline constexpr Index key_block = 512;    // keys at a time: a block of scores is 64 KiB with vectors of 16
inline constexpr Index overhang = 16;      // rows that may be read, and by tile registers written, beyond a matrix
static_assert(tile_vectors == 2 && key_block % panel == 0 && tile_rows <= overhang);

inline constexpr Index round_up(Index n, Index multiple) { return (n + multiple - 1) / multiple * multiple; }
inline constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }

/// Words of n inner indices.
template <class Products>
inline constexpr Index words(Index n) {
  return (n + Products::per_word - 1) / Products::per_word;
}
/// Words of n inner indices in memory.
template <class Products>
inline constexpr Index padded_words(Index n) {
  return round_up(words<Products>(n), Products::word_block);
}
template <class Products>
inline constexpr Index word_chunk = panel / Products::per_word;
/// Words of a left factor in rows.
template <class Products>
inline constexpr Index rows_size(Index rows, Index inner) {
  return (rows + overhang) * round_up(words<Products>(inner), word_chunk<Products>);
}

// --------------------------------------------------------------------------------------------------------- products

/// How a left factor's words lie: (i, p) at data + p / chunk chunk_step + i row_stride + p % chunk step.
template <Index row_stride_, Index step_, Index chunk_>
struct LeftForm {
  static constexpr Index row_stride = row_stride_;
  static constexpr Index step = step_;
  static constexpr Index chunk = chunk_;
};
template <class Products>
using InRows = LeftForm<word_chunk<Products>, 1, word_chunk<Products>>;
template <class Products>
using InColumns = LeftForm<1, panel, Index{1} << 40>;

/// Rows that will be wanted, brought to the second-level cache a few with every tile of a product. The rows of a head
/// lie far apart, where no hardware prefetcher finds them, and asking for all of them at once would wait for each.
class Ahead {
 public:
  void add(ConstRows rows, Index count, Index columns) {
    if (count > 0) parts_[parts_used_++] = Part{rows, count, columns};
    rows_ += count;
  }
  /// So many tiles will call for_a_tile().
  void spread_over(Index tiles) { rows_per_tile_ = rows_ / (tiles > 0 ? tiles : 1) + 1; }
  void for_a_tile() {
    for (Index i = 0; i < rows_per_tile_ && part_ < parts_used_; ++i) {
      const Part& part = parts_[part_];
      const float* const row = part.rows.data + row_ * part.rows.stride;
      for (Index c = 0; c < part.columns; c += 16) __builtin_prefetch(row + c, 0, 2);
      if (++row_ == part.count) {
        row_ = 0;
        ++part_;
      }
    }
  }

 private:
  struct Part {
    ConstRows rows;
    Index count = 0;
    Index columns = 0;
  };
  Part parts_[8];
  int parts_used_ = 0;
  int part_ = 0;
  Index row_ = 0;
  Index rows_ = 0;
  Index rows_per_tile_ = 0;
};

struct Left {
  const float* data;
  Index chunk_step = 0;
};
struct Right {
  const float* data;
  Index step;
};
struct Result {
  float* data;
  Index stride;
  bool accumulate = false;
};

/// One tile of C = A B or C += A B: m <= rows rows of it exist, `vectors` vectors of columns, k words, in order.
template <class Products, class Form, int rows, int vectors>
__attribute__((noinline)) inline void multiply_tile(Index m, Index k, Left a, Right b, Result c) {
  Vec sums[rows][vectors];
  COUPLET_UNROLL
  for (int i = 0; i < rows; ++i) {
    COUPLET_UNROLL
    for (int j = 0; j < vectors; ++j) sums[i][j] = set1(0.0F);
  }
  for (Index begin = 0; begin < k; begin += Form::chunk, a.data += a.chunk_step) {
    const float* words_of_a = a.data;
    const Index count = smaller(Form::chunk, k - begin);
    for (Index p = 0; p < count; ++p, words_of_a += Form::step, b.data += b.step) {
      Vec row[vectors];
      COUPLET_UNROLL
      for (int j = 0; j < vectors; ++j) row[j] = load(b.data + j * width);
      COUPLET_UNROLL
      for (int i = 0; i < rows; ++i) {
        const Vec x = set1(words_of_a[i * Form::row_stride]);
        COUPLET_UNROLL
        for (int j = 0; j < vectors; ++j) sums[i][j] = Products::multiply_add(x, row[j], sums[i][j]);
      }
    }
  }
  COUPLET_UNROLL
  for (int i = 0; i < rows; ++i) {
    if (i >= m) break;
    COUPLET_UNROLL
    for (int j = 0; j < vectors; ++j) {
      float* const to = c.data + i * c.stride + j * width;
      store(to, c.accumulate ? add(load(to), sums[i][j]) : sums[i][j]);
    }
  }
}

/// C (m, n), n rounded up to whole vectors. Rows do not depend on each other: all tiles give the same bits.
template <class Products, class Form, int vectors>
inline void multiply_columns_of(Ahead& ahead, Index m, Index k, Left a, Right b, Result c) {
  constexpr int half = (tile_rows + 2) / 2;
  constexpr int quarter = (tile_rows + 3) / 4;
  for (; m > 0; m -= tile_rows, a.data += tile_rows * Form::row_stride, c.data += tile_rows * c.stride) {
    ahead.for_a_tile();
    if (m <= quarter) {
      multiply_tile<Products, Form, quarter, vectors>(m, k, a, b, c);
    } else if (m <= half) {
      multiply_tile<Products, Form, half, vectors>(m, k, a, b, c);
    } else {
      multiply_tile<Products, Form, tile_rows, vectors>(m, k, a, b, c);
    }
  }
}
template <class Products, class Form>
inline void multiply_in_vectors(Ahead& ahead, Index m, Index n, Index k, Left a, Right b, Result c) {
  for (; n > 0; n -= panel, b.data += panel, c.data += panel) {
    if (n > width) {
      multiply_columns_of<Products, Form, 2>(ahead, m, k, a, b, c);
    } else {
      multiply_columns_of<Products, Form, 1>(ahead, m, k, a, b, c);
    }
  }
}

/// Products of float32. Scores serve as both left forms as they lie.
struct Float32 {
  struct Scope {};
  static constexpr Index per_word = 1;
  static constexpr Index word_block = 1;
  static constexpr bool scores_are_factors = true;

  static COUPLET_FORCE_INLINE Vec multiply_add(Vec a, Vec b, Vec sum) { return fma(a, b, sum); }
  static inline void multiply_rows(Ahead& ahead, Index m, Index n, Index k, Left a, Right b, Result c) {
    multiply_in_vectors<Float32, InRows<Float32>>(ahead, m, n, k, a, b, c);
  }
  static inline void multiply_columns(Ahead& ahead, Index m, Index n, Index k, const float* a, Right b, Result c) {
    multiply_in_vectors<Float32, InColumns<Float32>>(ahead, m, n, k, Left{a}, b, c);
  }

  /// x (rows, columns) as a left factor in rows, zero up to whole vectors.
  static inline void pack_rows(ConstRows x, Index rows, Index columns, Index chunk_step, float* to) {
    for (Index r = 0; r < rows; ++r) {
      for_each_vector(columns, [=](Index c, auto lanes) {
        store(to + c / panel * chunk_step + r * panel + c % panel, lanes.load_or(x.data + r * x.stride + c, 0.0F));
      });
    }
  }
  /// x transposed, (columns, rows), as a right factor with rows of `panel` words; zero beyond `rows` <= panel.
  static inline void pack_transposed(ConstRows x, Index rows, Index columns, float* to) {
    gemm::pack_b(x.data, 1, x.stride, columns, rows, to);
  }
  /// x (rows, columns) as a right factor with rows of `padded` words, zero beyond `columns`.
  static inline void pack_right(ConstRows x, Index rows, Index columns, Index padded, float* to) {
    for (Index r = 0; r < rows; ++r) {
      for_each_vector(columns, [=](Index c, auto lanes) {
        store(to + r * padded + c, lanes.load_or(x.data + r * x.stride + c, 0.0F));
      });
    }
  }

  /// Keys u and u + 1, vector v of the panel's queries, as a left factor in columns.
  static COUPLET_FORCE_INLINE void store_columns(float* to, Index u, Index v, Vec even, Vec odd) {
    store(to + u * panel + v * width, even);
    store(to + (u + 1) * panel + v * width, odd);
  }
  /// Key u, all queries of the panel, as a left factor in rows.
  static COUPLET_FORCE_INLINE void store_row(float* to, Index u, const Vec (&x)[2]) {
    store(to + u * panel, x[0]);
    store(to + u * panel + width, x[1]);
  }
  /// Called when all keys are stored in columns.
  static COUPLET_FORCE_INLINE void finish_columns(float* /*columns*/, Index /*keys*/) {}
};

}  // namespace attention
