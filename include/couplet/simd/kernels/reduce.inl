// Loops over vectors with a masked tail, and sums; see simd/reduce.hpp.

/// How a loop body reads and writes one vector: all lanes, or the first n of the last one.
struct AllLanes {
  COUPLET_FORCE_INLINE Vec load_or(const float* p, float /*fill*/) const { return load(p); }
  COUPLET_FORCE_INLINE void store_to(float* p, Vec x) const { store(p, x); }
  /// Zero in the lanes that do not exist.
  COUPLET_FORCE_INLINE Vec keep(Vec x) const { return x; }
};
struct FirstLanes {
  Index n;
  COUPLET_FORCE_INLINE Vec load_or(const float* p, float fill) const { return load_n(p, n, fill); }
  COUPLET_FORCE_INLINE void store_to(float* p, Vec x) const { store_n(p, x, n); }
  COUPLET_FORCE_INLINE Vec keep(Vec x) const {
    float lanes[width];
    store(lanes, x);
    return load_n(lanes, n, 0.0F);
  }
};

/// body(c, lanes) for the vectors that begin at c = 0, width, 2 width, ... of n elements.
template <class Body>
COUPLET_FORCE_INLINE void for_each_vector(Index n, Body body) {
  Index c = 0;
  for (; c + width <= n; c += width) body(c, AllLanes{});
  if (c < n) body(c, FirstLanes{n - c});
}

/// The sum of all lanes of term(c, lanes), which must be zero in lanes that do not exist. Four sums run side by side,
/// so that one addition need not wait for the one before it.
template <class Term>
COUPLET_FORCE_INLINE float sum_over(Index n, Term term) {
  Vec s0 = set1(0.0F);
  Vec s1 = s0;
  Vec s2 = s0;
  Vec s3 = s0;
  Index c = 0;
  for (; c + 4 * width <= n; c += 4 * width) {
    s0 = add(s0, term(c, AllLanes{}));
    s1 = add(s1, term(c + width, AllLanes{}));
    s2 = add(s2, term(c + 2 * width, AllLanes{}));
    s3 = add(s3, term(c + 3 * width, AllLanes{}));
  }
  for (; c + width <= n; c += width) s0 = add(s0, term(c, AllLanes{}));
  if (c < n) s1 = add(s1, term(c, FirstLanes{n - c}));
  return sum(add(add(s0, s1), add(s2, s3)));
}

/// a / b as written, whatever -ffast-math thinks of divisions.
COUPLET_FORCE_INLINE float divide(float a, float b) { return first(div(set1(a), set1(b))); }

namespace reduce {

inline constexpr Index rows_per_sum = 256;

/// The columns of `vectors` vectors; the lanes of the last one may be fewer.
template <int vectors, class Lanes>
COUPLET_FORCE_INLINE void column_sums_of(const float* x, Index stride, Index rows, Lanes lanes, float* sums) {
  for (Index begin = 0; begin < rows; begin += rows_per_sum) {
    const Index end = rows - begin < rows_per_sum ? rows : begin + rows_per_sum;
    Vec s[vectors];
    COUPLET_UNROLL
    for (int v = 0; v < vectors; ++v) s[v] = set1(0.0F);
    for (Index r = begin; r < end; ++r) {
      COUPLET_UNROLL
      for (int v = 0; v < vectors; ++v) s[v] = add(s[v], lanes.load_or(x + r * stride + v * width, 0.0F));
    }
    COUPLET_UNROLL
    for (int v = 0; v < vectors; ++v) {
      lanes.store_to(sums + v * width, add(lanes.load_or(sums + v * width, 0.0F), s[v]));
    }
  }
}

inline void column_sums(const float* x, Index stride, Index rows, Index columns, float* sums) {
  Index c = 0;
  for (; c + 4 * width <= columns; c += 4 * width) column_sums_of<4>(x + c, stride, rows, AllLanes{}, sums + c);
  for (; c + width <= columns; c += width) column_sums_of<1>(x + c, stride, rows, AllLanes{}, sums + c);
  if (c < columns) column_sums_of<1>(x + c, stride, rows, FirstLanes{columns - c}, sums + c);
}

/// width / 2 doubles: as many bytes as a Vec.
inline constexpr int half_width = width / 2;
using HalfVec = float __attribute__((vector_size(half_width * 4)));
using DoubleVec = double __attribute__((vector_size(half_width * 8)));

COUPLET_FORCE_INLINE DoubleVec load_double(const float* p) {
  HalfVec x;
  __builtin_memcpy(&x, p, sizeof x);
  return __builtin_convertvector(x, DoubleVec);
}
/// sum + x y, not reordered by the optimiser.
COUPLET_FORCE_INLINE DoubleVec add_product(DoubleVec sum_so_far, const float* x, const float* y) {
  sum_so_far += load_double(x) * load_double(y);
  Vec bits;
  __builtin_memcpy(&bits, &sum_so_far, sizeof bits);
  bits = opaque(bits);
  __builtin_memcpy(&sum_so_far, &bits, sizeof bits);
  return sum_so_far;
}

inline double dot(const float* x, const float* y, Index n) {
  DoubleVec s[4] = {};
  Index i = 0;
  for (; i + 4 * half_width <= n; i += 4 * half_width) {
    COUPLET_UNROLL
    for (int v = 0; v < 4; ++v) s[v] = add_product(s[v], x + i + v * half_width, y + i + v * half_width);
  }
  for (; i + half_width <= n; i += half_width) s[0] = add_product(s[0], x + i, y + i);
  const DoubleVec all = (s[0] + s[1]) + (s[2] + s[3]);
  double total = 0;
  for (int lane = 0; lane < half_width; ++lane) total += all[lane];
  for (; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return total;
}

inline void add_to(const float* x, Index n, float* y) {
  for_each_vector(n, [=](Index c, auto lanes) {
    lanes.store_to(y + c, add(lanes.load_or(y + c, 0.0F), lanes.load_or(x + c, 0.0F)));
  });
}

inline void subtract_and_divide(const float* x, float factor, const float* y, float divisor, Index n, float* out) {
  const Vec f = set1(factor);
  const Vec d = set1(divisor);
  for_each_vector(n, [=](Index c, auto lanes) {
    lanes.store_to(out + c, div(fnma(f, lanes.load_or(y + c, 0.0F), lanes.load_or(x + c, 0.0F)), d));
  });
}

}  // namespace reduce

inline constexpr ReduceKernels reduce_kernels_table{&reduce::column_sums, &reduce::dot, &reduce::add_to,
                                                    &reduce::subtract_and_divide};
