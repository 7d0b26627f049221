// AVX512-BF16 on the vectors of arch/avx512.inl. Instructions as text: they need no target feature of the compiler,
// whose intrinsics change their types from version to version.

/// Two float32 vectors as 32 bfloat16: `low` becomes elements 0..15, `high` 16..31. Rounds to nearest even.
COUPLET_FORCE_INLINE Vec bf16_convert(Vec low, Vec high) {
  Vec both;
  asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(both) : "v"(low), "v"(high));
  return both;
}

/// sum + a_0 b_0 + a_1 b_1 in each lane, whose 32 bits hold the pair (a_0, a_1).
COUPLET_FORCE_INLINE Vec bf16_dot(Vec a, Vec b, Vec sum) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

/// The elements of two rows of k alternating, as 16 pairs: what VDPBF16PS and TDPBF16PS take from B.
COUPLET_FORCE_INLINE Vec bf16_interleave(Vec even, Vec odd) {
  const __m512i both = _mm512_castps_si512(bf16_convert(even, odd));
  // 16-bit elements 0, 16, 1, 17, ...
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xffffffffU, order, both));
}
