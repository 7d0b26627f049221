#pragma once
/// Tiles of the contrastive losses.
///
/// S (rows, columns) with leading dimension `stride` is a tile of the cosine similarities x_i . y_j, and the logits are
/// l = scale S + bias (InfoNCE has no use for a bias). The N x N matrix never exists: InfoNCE goes over the tiles once
/// for the statistics of rows and columns and once more, with the tiles computed again, for the gradient; the sigmoid
/// loss needs one pass. Sums leave a tile in double; the caller adds the tiles in a fixed order.
#include "couplet/simd/activation_functions.hpp"
#include "couplet/simd/dispatch.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::simd {

/// What the sigmoid loss of a tile adds up.
struct SigmoidSums {
  double loss = 0;        ///< sum of softplus(l), minus l on the diagonal: not yet divided by N
  double gradient_s = 0;  ///< sum of G S:  d loss / d scale, weight included
  double gradient = 0;    ///< sum of G:    d loss / d bias, weight included
};

struct ContrastiveKernels {
  /// Running log-sum-exp of every row:  maximum[r] = max l, sum[r] = sum over columns of exp(l - maximum[r]), l = scale
  /// S. Start with maximum = -infinity and sum = 0 and call for the tiles of a row of tiles; then the log-sum-exp is
  /// maximum + log(sum).   scale > 0;  maximum, sum: (rows)
  void (*row_statistics)(const float* s, Index stride, Index rows, Index columns, float scale, float* maximum,
                         float* sum);
  /// The same for every column, for the tiles of a column of tiles.   maximum, sum: (columns)
  void (*column_statistics)(const float* s, Index stride, Index rows, Index columns, float scale, float* maximum,
                            float* sum);

  /// S becomes G = d loss / d l of InfoNCE:
  ///   G_rc = row_weight[r] exp(l - row_maximum[r]) + column_weight[c] exp(l - column_maximum[c])
  ///          - 2 weight [c == diagonal + r]
  /// With weight = 1 / (2 N) and row_weight = weight / sum of the row this is (P + Q - 2 I) / (2 N), P and Q the
  /// softmax along rows and columns. The maximum of the statistics is taken in place of the log-sum-exp because it is
  /// exact. diagonal: the column of the tile that belongs to its row 0; may be negative or beyond the tile. Returns the
  /// sum of G S over the tile: d loss / d scale.
  double (*info_nce_gradient)(float* s, Index stride, Index rows, Index columns, float scale, const float* row_maximum,
                              const float* row_weight, const float* column_maximum, const float* column_weight,
                              float weight, Index diagonal);

  /// S becomes G = d loss / d l = weight (sigmoid(l) - [c == diagonal + r]) with l = scale S + bias, weight = 1 / N.
  SigmoidSums (*sigmoid_gradient)(float* s, Index stride, Index rows, Index columns, float scale, float bias,
                                  float weight, Index diagonal);
};

const ContrastiveKernels& contrastive_kernels(Level level);
inline const ContrastiveKernels& contrastive_kernels() { return contrastive_kernels(active_level()); }

}  // namespace couplet::inline COUPLET_ABI::simd

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/contrastive.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(ContrastiveKernels, contrastive_kernels)
#endif
