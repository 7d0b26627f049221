// AVX-512: vectors of 16 floats. The operations are those of arch/scalar.inl, which describes them.
using Vec = __m512;
using Mask = __mmask16;
inline constexpr int width = 16;

// The maskz_ forms below are the plain instructions; g++ 12 warns about undefined values in its plain intrinsics (bug
// 105593).
inline constexpr Mask all_lanes = 0xffff;

// Tile of the matrix product (kernels/gemm.inl): 28 accumulators + 2 vectors of B + 1 broadcast of A = 31 registers.
inline constexpr int tile_rows = 14;
inline constexpr int tile_vectors = 2;

/// Hides the value's origin from the optimiser, at no cost.
COUPLET_FORCE_INLINE Vec opaque(Vec x) {
  asm("" : "+v"(x));
  return x;
}
COUPLET_FORCE_INLINE Mask first_lanes(Index n) { return static_cast<Mask>((1U << n) - 1U); }

COUPLET_FORCE_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
COUPLET_FORCE_INLINE void store(float* p, Vec x) { _mm512_storeu_ps(p, x); }
COUPLET_FORCE_INLINE Vec set1(float x) { return _mm512_set1_ps(x); }
COUPLET_FORCE_INLINE Vec load_n(const float* p, Index n, float fill) {
  return _mm512_mask_loadu_ps(set1(fill), first_lanes(n), p);
}
COUPLET_FORCE_INLINE void store_n(float* p, Vec x, Index n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }
COUPLET_FORCE_INLINE float first(Vec x) { return _mm512_cvtss_f32(x); }

COUPLET_FORCE_INLINE Vec add(Vec a, Vec b) { return opaque(a + b); }
COUPLET_FORCE_INLINE Vec sub(Vec a, Vec b) { return opaque(a - b); }
COUPLET_FORCE_INLINE Vec mul(Vec a, Vec b) { return opaque(a * b); }
COUPLET_FORCE_INLINE Vec div(Vec a, Vec b) {  // an instruction: -ffast-math would make it a reciprocal estimate
  Vec quotient;
  asm("vdivps %2, %1, %0" : "=v"(quotient) : "v"(a), "v"(b));
  return quotient;
}
COUPLET_FORCE_INLINE Vec sqrt(Vec x) {
  Vec root;
  asm("vsqrtps %1, %0" : "=v"(root) : "v"(x));
  return root;
}
COUPLET_FORCE_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
COUPLET_FORCE_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }

// Instructions too: -ffinite-math-only would exchange the operands, and with them what happens to NaN.
COUPLET_FORCE_INLINE Vec min(Vec a, Vec b) {
  Vec smaller;
  asm("vminps %2, %1, %0" : "=v"(smaller) : "v"(a), "v"(b));
  return smaller;
}
COUPLET_FORCE_INLINE Vec max(Vec a, Vec b) {
  Vec larger;
  asm("vmaxps %2, %1, %0" : "=v"(larger) : "v"(a), "v"(b));
  return larger;
}
COUPLET_FORCE_INLINE Mask less(Vec a, Vec b) {
  Mask mask;
  asm("vcmpltps %2, %1, %0" : "=Yk"(mask) : "v"(a), "v"(b));
  return mask;
}
COUPLET_FORCE_INLINE Vec select(Mask mask, Vec yes, Vec no) { return _mm512_mask_blend_ps(mask, no, yes); }

COUPLET_FORCE_INLINE Vec abs(Vec x) { return _mm512_andnot_ps(set1(-0.0F), x); }
COUPLET_FORCE_INLINE Vec neg(Vec x) { return _mm512_xor_ps(set1(-0.0F), x); }
COUPLET_FORCE_INLINE Vec copysign(Vec magnitude, Vec sign) {
  const Vec bit = set1(-0.0F);
  return _mm512_or_ps(_mm512_and_ps(bit, sign), _mm512_andnot_ps(bit, magnitude));
}

COUPLET_FORCE_INLINE Vec round(Vec x) {
  return _mm512_maskz_roundscale_ps(all_lanes, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
COUPLET_FORCE_INLINE Vec scale_2n(Vec x, Vec n) { return _mm512_maskz_scalef_ps(all_lanes, x, n); }
COUPLET_FORCE_INLINE Vec exponent_of(Vec x) { return _mm512_maskz_getexp_ps(all_lanes, x); }
COUPLET_FORCE_INLINE Vec mantissa_of(Vec x) {
  return _mm512_maskz_getmant_ps(all_lanes, x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
}

COUPLET_FORCE_INLINE __m256 lower_half(Vec x) { return _mm512_maskz_extractf32x8_ps(0xff, x, 0); }
COUPLET_FORCE_INLINE __m256 upper_half(Vec x) { return _mm512_maskz_extractf32x8_ps(0xff, x, 1); }

COUPLET_FORCE_INLINE float sum(Vec x) {
  __m256 eight = lower_half(x) + upper_half(x);
  asm("" : "+v"(eight));
  __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
  asm("" : "+v"(four));
  __m128 two = four + _mm_movehl_ps(four, four);
  asm("" : "+v"(two));
  float total = two[0] + two[1];
  asm("" : "+v"(total));
  return total;
}
COUPLET_FORCE_INLINE float max_of(Vec x) {
  const __m256 eight = _mm256_max_ps(lower_half(x), upper_half(x));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/// Rows become columns. Pairs, then quadruples inside 128-bit lanes, then the lanes themselves.
COUPLET_FORCE_INLINE void transpose(Vec (&r)[width]) {
  Vec t[width];
  COUPLET_UNROLL
  for (int i = 0; i < width; i += 2) {
    t[i] = _mm512_maskz_unpacklo_ps(all_lanes, r[i], r[i + 1]);
    t[i + 1] = _mm512_maskz_unpackhi_ps(all_lanes, r[i], r[i + 1]);
  }
  COUPLET_UNROLL
  for (int i = 0; i < width; i += 4) {
    r[i] = _mm512_maskz_shuffle_ps(all_lanes, t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_maskz_shuffle_ps(all_lanes, t[i], t[i + 2], 0xee);
    r[i + 2] = _mm512_maskz_shuffle_ps(all_lanes, t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_maskz_shuffle_ps(all_lanes, t[i + 1], t[i + 3], 0xee);
  }
  COUPLET_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_maskz_shuffle_f32x4(all_lanes, r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_maskz_shuffle_f32x4(all_lanes, r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_maskz_shuffle_f32x4(all_lanes, r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_maskz_shuffle_f32x4(all_lanes, r[i + 8], r[i + 12], 0xdd);
  }
  COUPLET_UNROLL
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_maskz_shuffle_f32x4(all_lanes, t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_maskz_shuffle_f32x4(all_lanes, t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_maskz_shuffle_f32x4(all_lanes, t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_maskz_shuffle_f32x4(all_lanes, t[i + 4], t[i + 12], 0xdd);
  }
}
