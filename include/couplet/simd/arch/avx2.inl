// AVX2 and FMA: vectors of 8 floats. The operations are those of arch/scalar.inl, which describes them.
using Vec = __m256;
using Mask = __m256;
inline constexpr int width = 8;

// Tile of the matrix product (kernels/gemm.inl): 12 accumulators + 2 vectors of B + 1 broadcast of A = 15 registers.
inline constexpr int tile_rows = 6;
inline constexpr int tile_vectors = 2;

/// Hides the value's origin from the optimiser, at no cost.
COUPLET_FORCE_INLINE Vec opaque(Vec x) {
  asm("" : "+x"(x));
  return x;
}
/// Lanes 0 .. n-1 all ones, the others zero: a window on eight ones and eight zeros.
inline constexpr std::int32_t lane_window[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
COUPLET_FORCE_INLINE __m256i first_lanes(Index n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane_window + 8 - n));
}

COUPLET_FORCE_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
COUPLET_FORCE_INLINE void store(float* p, Vec x) { _mm256_storeu_ps(p, x); }
COUPLET_FORCE_INLINE Vec set1(float x) { return _mm256_set1_ps(x); }
COUPLET_FORCE_INLINE Vec load_n(const float* p, Index n, float fill) {
  const __m256i lanes = first_lanes(n);
  return _mm256_blendv_ps(set1(fill), _mm256_maskload_ps(p, lanes), _mm256_castsi256_ps(lanes));
}
COUPLET_FORCE_INLINE void store_n(float* p, Vec x, Index n) { _mm256_maskstore_ps(p, first_lanes(n), x); }
COUPLET_FORCE_INLINE float first(Vec x) { return _mm256_cvtss_f32(x); }

COUPLET_FORCE_INLINE Vec add(Vec a, Vec b) { return opaque(a + b); }
COUPLET_FORCE_INLINE Vec sub(Vec a, Vec b) { return opaque(a - b); }
COUPLET_FORCE_INLINE Vec mul(Vec a, Vec b) { return opaque(a * b); }
COUPLET_FORCE_INLINE Vec div(Vec a, Vec b) {  // an instruction: -ffast-math would make it a reciprocal estimate
  Vec quotient;
  asm("vdivps %2, %1, %0" : "=x"(quotient) : "x"(a), "x"(b));
  return quotient;
}
COUPLET_FORCE_INLINE Vec sqrt(Vec x) {
  Vec root;
  asm("vsqrtps %1, %0" : "=x"(root) : "x"(x));
  return root;
}
COUPLET_FORCE_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
COUPLET_FORCE_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }

// Instructions too: -ffinite-math-only would exchange the operands, and with them what happens to NaN.
COUPLET_FORCE_INLINE Vec min(Vec a, Vec b) {
  Vec smaller;
  asm("vminps %2, %1, %0" : "=x"(smaller) : "x"(a), "x"(b));
  return smaller;
}
COUPLET_FORCE_INLINE Vec max(Vec a, Vec b) {
  Vec larger;
  asm("vmaxps %2, %1, %0" : "=x"(larger) : "x"(a), "x"(b));
  return larger;
}
COUPLET_FORCE_INLINE Mask less(Vec a, Vec b) {
  Mask mask;
  asm("vcmpltps %2, %1, %0" : "=x"(mask) : "x"(a), "x"(b));
  return mask;
}
COUPLET_FORCE_INLINE Vec select(Mask mask, Vec yes, Vec no) { return _mm256_blendv_ps(no, yes, mask); }

COUPLET_FORCE_INLINE Vec abs(Vec x) { return _mm256_andnot_ps(set1(-0.0F), x); }
COUPLET_FORCE_INLINE Vec neg(Vec x) { return _mm256_xor_ps(set1(-0.0F), x); }
COUPLET_FORCE_INLINE Vec copysign(Vec magnitude, Vec sign) {
  const Vec bit = set1(-0.0F);
  return _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, magnitude));
}

COUPLET_FORCE_INLINE Vec round(Vec x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
COUPLET_FORCE_INLINE Vec scale_2n(Vec x, Vec n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return mul(x, _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23)));
}
COUPLET_FORCE_INLINE Vec exponent_of(Vec x) {
  const __m256i biased = _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(x), 23), _mm256_set1_epi32(255));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(127)));
}
COUPLET_FORCE_INLINE Vec mantissa_of(Vec x) {
  const __m256i fraction = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x007fffff));
  return _mm256_castsi256_ps(_mm256_or_si256(fraction, _mm256_set1_epi32(0x3f800000)));
}

COUPLET_FORCE_INLINE float sum(Vec x) {
  __m128 four = _mm256_castps256_ps128(x) + _mm256_extractf128_ps(x, 1);
  asm("" : "+x"(four));
  __m128 two = four + _mm_movehl_ps(four, four);
  asm("" : "+x"(two));
  float total = two[0] + two[1];
  asm("" : "+x"(total));
  return total;
}
COUPLET_FORCE_INLINE float max_of(Vec x) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/// Rows become columns. Pairs, then quadruples inside 128-bit lanes, then the lanes themselves.
COUPLET_FORCE_INLINE void transpose(Vec (&r)[width]) {
  Vec t[width];
  COUPLET_UNROLL
  for (int i = 0; i < width; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  COUPLET_UNROLL
  for (int i = 0; i < width; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  COUPLET_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
  COUPLET_UNROLL
  for (int i = 0; i < width; ++i) r[i] = t[i];
}
