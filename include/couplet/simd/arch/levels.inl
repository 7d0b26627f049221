// Includes COUPLET_KERNEL_FILE once per instruction-set level, in the level's namespace and target region.
// See simd/dispatch.hpp. No include guard: every kernel family comes through here.
#ifndef COUPLET_KERNEL_FILE
#error "define COUPLET_KERNEL_FILE before including couplet/simd/arch/levels.inl"
#endif

namespace couplet::inline COUPLET_ABI::simd::scalar {
#include COUPLET_KERNEL_FILE
}  // namespace couplet::inline COUPLET_ABI::simd::scalar

#if defined(__x86_64__)
COUPLET_TARGET_REGION_BEGIN(COUPLET_AVX2_FEATURES)
namespace couplet::inline COUPLET_ABI::simd::avx2 {
#include COUPLET_KERNEL_FILE
}  // namespace couplet::inline COUPLET_ABI::simd::avx2
COUPLET_TARGET_REGION_END

COUPLET_TARGET_REGION_BEGIN(COUPLET_AVX512_FEATURES)
namespace couplet::inline COUPLET_ABI::simd::avx512 {
#include COUPLET_KERNEL_FILE
}  // namespace couplet::inline COUPLET_ABI::simd::avx512
COUPLET_TARGET_REGION_END
#endif
