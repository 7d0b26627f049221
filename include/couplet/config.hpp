#pragma once
/// The only header that defines public macros.
///
/// COUPLET_ABI names an inline namespace. Inline functions that are compiled differently (with or without OpenMP, with
/// wider instruction sets as the baseline, under -ffast-math) get different symbols, so that translation units built
/// with different flags can be linked together without one silently taking over the other's code.

#if !defined(__GNUC__)
#error "couplet needs g++ 12 or clang++ 14 or newer"
#endif
#if __cplusplus < 202002L
#error "couplet needs -std=c++20 or newer"
#endif

#if defined(_OPENMP)
#define COUPLET_ABI_THREADS omp
#else
#define COUPLET_ABI_THREADS seq
#endif

#if defined(__AVX512F__)
#define COUPLET_ABI_BASELINE avx512
#elif defined(__AVX2__)
#define COUPLET_ABI_BASELINE avx2
#else
#define COUPLET_ABI_BASELINE base
#endif

#if defined(__FAST_MATH__)
#define COUPLET_ABI_MATH fast
#else
#define COUPLET_ABI_MATH ieee
#endif

#define COUPLET_CONCAT4_(a, b, c, d) a##_##b##_##c##_##d
#define COUPLET_CONCAT4(a, b, c, d) COUPLET_CONCAT4_(a, b, c, d)
#define COUPLET_ABI COUPLET_CONCAT4(v0, COUPLET_ABI_THREADS, COUPLET_ABI_BASELINE, COUPLET_ABI_MATH)
