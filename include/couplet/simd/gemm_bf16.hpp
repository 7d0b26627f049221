#pragma once
/// Matrix products of bfloat16 operands with float32 sums: s (m, n) = A (m, k) B (k, n), with bias and activation in
/// the epilogue, which can write the operand of the next product.
///
/// Two instruction sets compute them, with the same packed operands: AMX (TDPBF16PS, 16 x 16 tiles of sums) and
/// AVX512-BF16 (VDPBF16PS). Both multiply pairs of neighbouring inner indices, round to nearest even and flush
/// denormals (Intel SDM volume 2). On Intel's processors VDPBF16PS runs at half the speed of a float32 FMA, on AMD's
/// Zen 4 at twice the speed; the level avx512_bf16 is detected where it pays (simd/cpu.hpp).
///
/// Bits. An element starts at 0 and takes the inner indices in rising order, one pair (AVX512-BF16) or 32 at a time
/// (AMX, which sums even and odd ones apart before it adds them), whatever m, n and its place in a tile are; then the
/// epilogue follows.
///
/// Operands, zero beyond k:
///   A  panels of 16 rows, each (k / 32) tiles of 16 rows x 32 inner indices: a tile is 1 KiB, and a row of it a cache
///      line. Rows beyond m hold anything: they reach no other row.
///   B  panels of 32 columns, each (k / 32) times two tiles of 16 pairs x 16 columns x 2.
#include "couplet/core/bfloat16.hpp"
#include "couplet/core/precision.hpp"
#include "couplet/simd/activation_functions.hpp"

namespace couplet::inline COUPLET_ABI::simd {

namespace bf16 {

inline constexpr Index tile_rows = 16;      ///< rows of A in a tile, and pairs of inner indices in a tile of B
inline constexpr Index tile_depth = 32;     ///< inner indices in a tile
inline constexpr Index panel_columns = 32;  ///< columns of B in a panel
inline constexpr Index tile_size = tile_rows * tile_depth;

/// k rounded up to whole tiles.
constexpr Index padded_depth(Index k) { return (k + tile_depth - 1) / tile_depth * tile_depth; }

/// Elements of a packed A (m, k).
inline Index packed_a_size(Index m, Index k) {
  return checked_multiply((m + tile_rows - 1) / tile_rows * tile_rows, padded_depth(k));
}
/// Elements of a packed B (k, n).
inline Index packed_b_size(Index k, Index n) {
  return checked_multiply((n + panel_columns - 1) / panel_columns * panel_columns, padded_depth(k));
}

/// Where element (row, column) of a packed A with inner extent k lies.
constexpr Index a_offset(Index row, Index column, Index k) {
  return row / tile_rows * tile_rows * padded_depth(k) + column / tile_depth * tile_size +
         row % tile_rows * tile_depth + column % tile_depth;
}

}  // namespace bf16

/// What happens to finished sums s: z = s + bias; y = f(z) or y += f(z). Each destination may be absent.
struct Bf16Epilogue {
  const float* bias = nullptr;                   ///< (n)
  Activation activation = Activation::identity;  ///< f
  float* preactivation = nullptr;                ///< (m, n), receives z
  Index preactivation_stride = 0;
  float* y = nullptr;  ///< (m, n), receives f(z)
  Index y_stride = 0;
  bool accumulate = false;      ///< y += f(z)
  bfloat16* operand = nullptr;  ///< packed A of the next product, whose inner extent is this product's n: receives f(z)
  Index operand_depth = 0;      ///< that inner extent, of the whole matrix where this product is a part of the columns
};

struct Bf16Product {
  Index m = 0;
  Index n = 0;
  Index k = 0;
  const bfloat16* a = nullptr;  ///< packed, from a multiple of 16 rows on
  const bfloat16* b = nullptr;  ///< packed, from a multiple of 32 columns on
  Bf16Epilogue epilogue;        ///< bias, rows and operand begin at this product's first row and column
};

struct Bf16GemmKernels {
  /// A, element (i, p) at a[i row_stride + p column_stride]; one of the strides is 1.
  void (*pack_a)(const float* a, Index row_stride, Index column_stride, Index m, Index k, bfloat16* panels);
  /// B, element (p, j) at b[p row_stride + j column_stride]; one of the strides is 1.
  void (*pack_b)(const float* b, Index row_stride, Index column_stride, Index k, Index n, bfloat16* panels);
  /// One row of a packed A with inner extent k: x (k) goes to `row`, the address of its first element.
  void (*pack_row)(const float* x, Index k, bfloat16* row);
  /// One thread's product. `scratch` holds scratch_size(m, k) floats.
  void (*multiply)(const Bf16Product& product, float* scratch);
  /// Rows of A that are multiplied at a time, for the second-level cache; a multiple of 32.
  Index (*block_rows)(Index k);

  [[nodiscard]] Index scratch_size(Index m, Index k) const {
    const Index rows = block_rows(k);
    return ((m < rows ? m : rows) + 31) / 32 * 32 * bf16::panel_columns;
  }
};

/// The kernels of a level from avx512_bf16 on; nullptr below.
const Bf16GemmKernels* bf16_gemm_kernels(Level level);
/// Those of the level in use.
inline const Bf16GemmKernels* bf16_gemm_kernels() { return bf16_gemm_kernels(active_level()); }

/// What products run in when `asked` is wanted: bfloat16 needs a level that has its kernels, else it is float32.
inline Precision effective_precision(Precision asked) {
  return bf16_gemm_kernels() != nullptr ? asked : Precision::float32;
}

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#if defined(__x86_64__)
COUPLET_TARGET_REGION_BEGIN(COUPLET_AVX512_FEATURES)
namespace couplet::inline COUPLET_ABI::simd::avx512 {
#include "couplet/simd/arch/bf16_dot.inl"
#include "couplet/simd/arch/bf16_tiles.inl"
#include "couplet/simd/kernels/gemm_bf16.inl"
}  // namespace couplet::inline COUPLET_ABI::simd::avx512
COUPLET_TARGET_REGION_END
#endif

namespace couplet::inline COUPLET_ABI::simd {
COUPLET_KERNEL_LINKAGE const Bf16GemmKernels* bf16_gemm_kernels(Level level) {
#if defined(__x86_64__)
  if (level == Level::amx) return &avx512::bf16_gemm_amx_table;
  if (level == Level::avx512_bf16) return &avx512::bf16_gemm_dot_table;
#endif
  static_cast<void>(level);
  return nullptr;
}
}  // namespace couplet::inline COUPLET_ABI::simd
#endif
