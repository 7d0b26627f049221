#pragma once
/// Attention of one head of one sequence; the formulas are in ops/attention.hpp.
///
/// Keys come in blocks of up to 512, so that a block of scores stays in the L2 cache; up to 512 keys it is a plain
/// softmax of whole rows, beyond that the maximum and the sum run along (Milakov and Gimelshein, arXiv:1805.02867). A
/// query's result does not depend on the queries beside it.
#include "couplet/core/precision.hpp"
#include "couplet/simd/activation_functions.hpp"
#include "couplet/simd/gemm.hpp"
#include "couplet/simd/gemm_bf16.hpp"
#include "couplet/simd/reduce.hpp"
#include "couplet/simd/softmax.hpp"

namespace couplet::inline COUPLET_ABI::simd {

/// Rows in memory: row r begins at data + r stride.
struct Rows {
  float* data = nullptr;
  Index stride = 0;
};
struct ConstRows {
  const float* data = nullptr;
  Index stride = 0;
};

/// q (queries, width), k and v (keys, width), the logits are scale q . k.
struct AttentionHead {
  Index queries = 0;
  Index keys = 0;  ///< > 0; at most `queries` when causal: query t sees the keys 0 .. t, as far as there are keys
  Index width = 0;
  bool causal = false;
  float scale = 1;
  ConstRows q;
  ConstRows k;
  ConstRows v;
  bool next_behind = false;  ///< the columns behind these belong to the next head to compute: they are fetched early
};

/// What the backward pass reads and writes: dout, out, dq (queries, width), lse (queries), dk and dv (keys, width).
struct AttentionGradient {
  ConstRows dout;
  ConstRows out;
  ConstRows lse;  ///< one element per row
  Rows dq;
  Rows dk;
  Rows dv;
};

struct AttentionKernels {
  /// Elements of scratch memory that forward and backward need.
  Index (*forward_scratch)(Index keys, Index width);
  Index (*backward_scratch)(Index keys, Index width);
  /// out: (queries, width)   lse: one element per row, or nullptr.   scratch on a 64-byte boundary
  void (*forward)(const AttentionHead& head, Rows out, Rows lse, float* scratch);
  /// dq, dk and dv are assigned.
  void (*backward)(const AttentionHead& head, const AttentionGradient& gradient, float* scratch);
};

/// The kernels of float32.
const AttentionKernels& attention_kernels(Level level);
/// Those with products in the precision asked for where the level has them, else of float32.
const AttentionKernels& attention_kernels(Level level, Precision precision);
/// Those of the level in use.
inline const AttentionKernels& attention_kernels(Precision precision = Precision::float32) {
  return attention_kernels(active_level(), precision);
}

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/attention_products.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/attention.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(AttentionKernels, attention_kernels)

#if defined(__x86_64__)
COUPLET_TARGET_REGION_BEGIN(COUPLET_AVX512_FEATURES)
namespace couplet::inline COUPLET_ABI::simd::avx512 {
#include "couplet/simd/kernels/attention_bf16.inl"
}  // namespace couplet::inline COUPLET_ABI::simd::avx512
COUPLET_TARGET_REGION_END
#endif

namespace couplet::inline COUPLET_ABI::simd {
COUPLET_KERNEL_LINKAGE const AttentionKernels& attention_kernels(Level level, Precision precision) {
#if defined(__x86_64__)
  if (precision == Precision::bfloat16 && level == Level::amx) return avx512::bf16_attention_amx_table;
  if (precision == Precision::bfloat16 && level == Level::avx512_bf16) return avx512::bf16_attention_dot_table;
#endif
  static_cast<void>(precision);
  return attention_kernels(level);
}
}  // namespace couplet::inline COUPLET_ABI::simd
#endif
