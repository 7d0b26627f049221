#pragma once
/// Run-time dispatch that lives in headers: one kernel body, compiled once per instruction-set level.
///
/// A vector wrapper per level (simd/arch/{scalar,avx2,avx512}.inl: the type Vec of `width` floats and about 35
/// operations) and a kernel body that knows only the wrapper (simd/kernels/<family>.inl) are included inside a target
/// region in the namespace of the level: simd::scalar, simd::avx2, simd::avx512. A program needs no -m flag, and code
/// of a level runs only where simd::active_level() allows it.
///
/// How to add a kernel family `sums`:
///   1. simd/sums.hpp:
///        #include "couplet/simd/dispatch.hpp"
///        namespace couplet::inline COUPLET_ABI::simd {
///        struct SumKernels { float (*sum)(const float* x, Index n); };        // a table of function pointers
///        const SumKernels& sum_kernels(Level level);
///        inline const SumKernels& sum_kernels() { return sum_kernels(active_level()); }
///        }
///        #if COUPLET_KERNEL_BODIES
///        #define COUPLET_KERNEL_FILE "couplet/simd/kernels/sums.inl"
///        #include "couplet/simd/arch/levels.inl"                              // re-includes the body per level
///        #undef COUPLET_KERNEL_FILE
///        COUPLET_KERNEL_TABLE(SumKernels, sum_kernels)
///        #endif
///   2. simd/kernels/sums.inl: `inline` functions in a namespace of the family's own, and the table as constant data:
///        namespace sums { inline float sum(const float* x, Index n) { ... } }
///        inline constexpr SumKernels sum_kernels_table{&sums::sum};           // <name of the function>_table
///   3. a line in simd/kernels.hpp. Functions shared by families (exp, ...) are in simd/activation_functions.hpp.
///
/// Rules for what is included in a region (each one was a measured failure somewhere, reference: GCC bug 65873, LLVM
/// 80283): it includes nothing, has no `#pragma omp`, no namespace-scope vectors, no code that runs before dispatch
/// (the tables are constexpr), and is called through the table only. Arithmetic goes through the wrapper: its add,
/// subtract, multiply, divide and square root are opaque to -ffast-math, -ffp-contract and -march=native, while a
/// plain float expression may be contracted or reordered by them.
#include <cstdint>
#include <cstring>

#include "couplet/core/shape.hpp"
#include "couplet/simd/cpu.hpp"

#if defined(COUPLET_SHARED_KERNELS) && !defined(COUPLET_KERNELS_IMPLEMENTATION)
#define COUPLET_KERNEL_BODIES 0  // the tables come from another object file (cmake/kernels.cpp)
#else
#define COUPLET_KERNEL_BODIES 1
#endif

#if COUPLET_KERNEL_BODIES

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Functions between the two lines are compiled for `features` on top of the program's own flags.
#define COUPLET_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define COUPLET_TARGET_REGION_BEGIN(features) \
  COUPLET_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define COUPLET_TARGET_REGION_END COUPLET_PRAGMA(clang attribute pop)
#define COUPLET_UNROLL COUPLET_PRAGMA(clang loop unroll(full))
#else
#define COUPLET_TARGET_REGION_BEGIN(features) COUPLET_PRAGMA(GCC push_options) COUPLET_PRAGMA(GCC target(features))
#define COUPLET_TARGET_REGION_END COUPLET_PRAGMA(GCC pop_options)
#define COUPLET_UNROLL COUPLET_PRAGMA(GCC unroll 32)
#endif
#define COUPLET_FORCE_INLINE __attribute__((always_inline)) inline

// Some compilers count the 512-bit registers as a feature of their own (clang 18 to 21, g++ 14 and 15).
#define COUPLET_AVX2_FEATURES "avx2,fma"
#if (defined(__clang__) && __clang_major__ >= 18 && __clang_major__ < 22) || \
    (!defined(__clang__) && __GNUC__ >= 14 && __GNUC__ < 16)
#define COUPLET_AVX512_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,evex512"
#else
#define COUPLET_AVX512_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
#endif

namespace couplet::inline COUPLET_ABI::simd::scalar {
#include "couplet/simd/arch/scalar.inl"
}  // namespace couplet::inline COUPLET_ABI::simd::scalar

#if defined(__x86_64__)
COUPLET_TARGET_REGION_BEGIN(COUPLET_AVX2_FEATURES)
namespace couplet::inline COUPLET_ABI::simd::avx2 {
#include "couplet/simd/arch/avx2.inl"
}  // namespace couplet::inline COUPLET_ABI::simd::avx2
COUPLET_TARGET_REGION_END

COUPLET_TARGET_REGION_BEGIN(COUPLET_AVX512_FEATURES)
namespace couplet::inline COUPLET_ABI::simd::avx512 {
#include "couplet/simd/arch/avx512.inl"
}  // namespace couplet::inline COUPLET_ABI::simd::avx512
COUPLET_TARGET_REGION_END
#endif

/// Defines `const Table& function(Level)`, which returns the `function_table` of the level's namespace.
#if defined(COUPLET_KERNELS_IMPLEMENTATION)
#define COUPLET_KERNEL_LINKAGE
#else
#define COUPLET_KERNEL_LINKAGE inline
#endif
#if defined(__x86_64__)
#define COUPLET_KERNEL_TABLE(Table, function)                                        \
  namespace couplet::inline COUPLET_ABI::simd {                                      \
  COUPLET_KERNEL_LINKAGE const Table& function(Level level) {                        \
    if (level == Level::scalar) return scalar::function##_table;                     \
    return level == Level::avx2 ? avx2::function##_table : avx512::function##_table; \
  }                                                                                  \
  }
#else
#define COUPLET_KERNEL_TABLE(Table, function)                                                        \
  namespace couplet::inline COUPLET_ABI::simd {                                                      \
  COUPLET_KERNEL_LINKAGE const Table& function(Level /*level*/) { return scalar::function##_table; } \
  }
#endif

#endif  // COUPLET_KERNEL_BODIES
