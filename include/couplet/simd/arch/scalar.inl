// Any processor: vectors of 4 floats by the compiler's vector extension. This file also describes the operations; the
// other levels have the same ones for wider vectors.
//
// Sums are exact to the order written: fma rounds once on avx2 and avx512 and twice (product, then sum) here, and
// nothing is contracted, reordered or estimated, whatever -march, -ffp-contract and -ffast-math say.
using Vec = float __attribute__((vector_size(16)));
using Mask = std::int32_t __attribute__((vector_size(16)));
inline constexpr int width = 4;

// Tile of the matrix product (kernels/gemm.inl): 8 accumulators + 2 vectors of B + a broadcast and a product.
inline constexpr int tile_rows = 4;
inline constexpr int tile_vectors = 2;

/// Hides the value's origin from the optimiser, at no cost.
COUPLET_FORCE_INLINE Vec opaque(Vec x) {
#if defined(__x86_64__)
  asm("" : "+x"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#else
  asm("" : "+m"(x));
#endif
  return x;
}

/// Memory: any address. load_n and store_n touch the first n lanes only, 0 <= n <= width; the others get `fill`.
COUPLET_FORCE_INLINE Vec load(const float* p) {
  Vec x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
COUPLET_FORCE_INLINE void store(float* p, Vec x) { __builtin_memcpy(p, &x, sizeof x); }
COUPLET_FORCE_INLINE Vec set1(float x) { return Vec{x, x, x, x}; }
COUPLET_FORCE_INLINE Vec load_n(const float* p, Index n, float fill) {
  float lanes[width] = {fill, fill, fill, fill};
  for (Index i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
COUPLET_FORCE_INLINE void store_n(float* p, Vec x, Index n) {
  float lanes[width];
  store(lanes, x);
  for (Index i = 0; i < n; ++i) p[i] = lanes[i];
}
/// Lane 0.
COUPLET_FORCE_INLINE float first(Vec x) { return x[0]; }

/// Arithmetic. fma(a, b, c) = a b + c, fnma(a, b, c) = c - a b.
COUPLET_FORCE_INLINE Vec add(Vec a, Vec b) { return opaque(a + b); }
COUPLET_FORCE_INLINE Vec sub(Vec a, Vec b) { return opaque(a - b); }
COUPLET_FORCE_INLINE Vec mul(Vec a, Vec b) { return opaque(a * b); }
COUPLET_FORCE_INLINE Vec div(Vec a, Vec b) {
#if defined(__x86_64__)
  asm("divps %1, %0" : "+x"(a) : "x"(b));  // -ffast-math would make it a reciprocal estimate
  return a;
#else
  return opaque(a / b);
#endif
}
COUPLET_FORCE_INLINE Vec sqrt(Vec x) {
#if defined(__x86_64__)
  Vec root;
  asm("sqrtps %1, %0" : "=x"(root) : "x"(x));
  return root;
#else
  return opaque(Vec{__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]), __builtin_sqrtf(x[3])});
#endif
}
COUPLET_FORCE_INLINE Vec fma(Vec a, Vec b, Vec c) { return add(mul(a, b), c); }
COUPLET_FORCE_INLINE Vec fnma(Vec a, Vec b, Vec c) { return sub(c, mul(a, b)); }

/// Choice. min and max return b when a or b is not a number, so max(limit, x) lets NaN through and max(x, limit)
/// removes it. less(a, b) is false when a or b is not a number; select takes `yes` where the mask is set.
COUPLET_FORCE_INLINE Vec select(Mask mask, Vec yes, Vec no) {
  Mask y;
  Mask n;
  __builtin_memcpy(&y, &yes, sizeof y);
  __builtin_memcpy(&n, &no, sizeof n);
  const Mask bits = (mask & y) | (~mask & n);
  Vec x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
COUPLET_FORCE_INLINE Mask less(Vec a, Vec b) {
#if defined(__x86_64__)
  asm("cmpltps %1, %0" : "+x"(a) : "x"(b));  // -ffinite-math-only would forget about NaN
  Mask mask;
  __builtin_memcpy(&mask, &a, sizeof mask);
  return mask;
#else
  return a < b;
#endif
}
COUPLET_FORCE_INLINE Vec min(Vec a, Vec b) { return select(less(a, b), a, b); }
COUPLET_FORCE_INLINE Vec max(Vec a, Vec b) { return select(less(b, a), a, b); }

/// Signs.
COUPLET_FORCE_INLINE Vec copysign(Vec magnitude, Vec sign) {
  constexpr std::int32_t bit = -0x7fffffff - 1;
  return select(Mask{bit, bit, bit, bit}, sign, magnitude);
}
COUPLET_FORCE_INLINE Vec abs(Vec x) { return copysign(x, set1(0.0F)); }
COUPLET_FORCE_INLINE Vec neg(Vec x) {
  constexpr std::int32_t bit = -0x7fffffff - 1;
  Mask bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  bits ^= Mask{bit, bit, bit, bit};
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

/// Nearest integer, halves to even; |x| < 2^22.
COUPLET_FORCE_INLINE Vec round(Vec x) {
  const Vec shift = set1(0x1.8p23F);  // leaves no bit for a fraction
  return sub(add(x, shift), shift);
}
/// x 2^n for integral n in [-126, 127].
COUPLET_FORCE_INLINE Vec scale_2n(Vec x, Vec n) {
  const Mask bits = (__builtin_convertvector(n, Mask) + 127) << 23;
  Vec power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return mul(x, power);
}
/// x = mantissa_of(x) 2^exponent_of(x) with a mantissa in [1, 2), for positive normal x.
COUPLET_FORCE_INLINE Vec exponent_of(Vec x) {
  Mask bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return __builtin_convertvector(((bits >> 23) & 255) - 127, Vec);
}
COUPLET_FORCE_INLINE Vec mantissa_of(Vec x) {
  Mask bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  bits = (bits & 0x007fffff) | 0x3f800000;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

/// The sum of all lanes: halves are added until one lane is left (lane i + lane i + width / 2, and so on).
COUPLET_FORCE_INLINE float sum(Vec x) {
  const Vec two = add(x, Vec{x[2], x[3], x[2], x[3]});
  return first(add(two, set1(two[1])));
}
/// The largest lane.
COUPLET_FORCE_INLINE float max_of(Vec x) {
  const Vec two = max(x, Vec{x[2], x[3], x[2], x[3]});
  return first(max(two, set1(two[1])));
}

/// Rows become columns.
COUPLET_FORCE_INLINE void transpose(Vec (&r)[width]) {
  const Vec a = r[0];
  const Vec b = r[1];
  const Vec c = r[2];
  const Vec d = r[3];
  COUPLET_UNROLL
  for (int i = 0; i < width; ++i) r[i] = Vec{a[i], b[i], c[i], d[i]};
}
