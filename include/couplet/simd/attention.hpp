#pragma once
/// Attention of one head of one sequence; the formulas are in ops/attention.hpp.
///
/// Keys come in blocks of up to 512, so that a block of scores stays in the L2 cache; up to 512 keys it is a plain
/// softmax of whole rows, beyond that the maximum and the sum run along (Milakov and Gimelshein, arXiv:1805.02867). A
/// query's result does not depend on the queries beside it.
#include "couplet/simd/activation_functions.hpp"
#include "couplet/simd/gemm.hpp"
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
  Index keys = 0;  ///< > 0; equal to `queries` when causal
  Index width = 0;
  bool causal = false;
  float scale = 1;
  ConstRows q;
  ConstRows k;
  ConstRows v;
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

const AttentionKernels& attention_kernels(Level level);
inline const AttentionKernels& attention_kernels() { return attention_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/attention.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(AttentionKernels, attention_kernels)
#endif
