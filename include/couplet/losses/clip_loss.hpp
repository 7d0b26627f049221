#pragma once
/// InfoNCE, the loss of CLIP: each image must find its text among all texts of the batch, and each text its image.
///
///   Z = exp(logit_scale) image_features text_features^T     P, Q: softmax of Z along rows, along columns
///   loss = -1/(2N) sum_i (log P_ii + log Q_ii)              d loss / d Z = (P + Q - 2 I) / (2N) =: D
///   d logit_scale = sum_ij D_ij Z_ij
/// Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021, figure 3.
///
/// Two passes over the blocks of contrastive_blocks.hpp: the first takes the statistics of the softmax, the second
/// forms the logits again. The true pairs stay out of the statistics and are added in double:
///   1 - P_ii = (sum over j != i) / (the whole sum),   -log P_ii = log(1 + (sum over j != i) / exp(Z_ii))
/// so loss and gradient keep their relative precision when the pairs are well told apart.
#include "couplet/losses/contrastive_blocks.hpp"
#include "couplet/losses/contrastive_tiles.hpp"

namespace couplet::inline COUPLET_ABI::losses {

namespace detail {

/// Softmax statistics along one side (all rows, or all columns) of the N x N logits.
template <class T>
class SoftmaxSide {
 public:
  SoftmaxSide(Index count, T masked_logit, Workspace& workspace)
      : maximum_(workspace.take<T>(count)), weight_(workspace.take<T>(count)), sum_(workspace.take<double>(count)) {
    std::fill_n(maximum_, count, masked_logit);
    std::fill_n(sum_, count, 0.0);
  }

  /// Takes in sum exp(l - maximum) over some more logits of row or column i.
  void merge(Index i, T maximum, T sum) {
    const double step = static_cast<double>(maximum) - static_cast<double>(maximum_[i]);
    if (step > 0) {
      sum_[i] *= std::exp(-step);
      maximum_[i] = maximum;
    }
    sum_[i] += static_cast<double>(sum) * (step < 0 ? std::exp(step) : 1.0);
  }

  /// When all other logits are in: adds the true pair's. Returns -log of its probability; afterwards factors() give
  /// `factor` times the softmax of the others, and others() their share of the whole.
  double finish(Index i, double pair_logit, double factor) {
    const double others_maximum = static_cast<double>(maximum_[i]);
    const double maximum = others_maximum < pair_logit ? pair_logit : others_maximum;
    const double others = sum_[i] * std::exp(others_maximum - maximum);
    const double pair = std::exp(pair_logit - maximum);
    weight_[i] = static_cast<T>(factor * std::exp(others_maximum - maximum) / (pair + others));
    sum_[i] = others / (pair + others);
    return pair == 1 ? std::log1p(others) : std::log(pair + others) + (maximum - pair_logit);
  }

  [[nodiscard]] double others(Index i) const { return sum_[i]; }
  [[nodiscard]] SoftmaxFactors<T> factors(Index begin) const { return {maximum_ + begin, weight_ + begin}; }

 private:
  T* maximum_;   ///< (N), the largest logit but the pair's
  T* weight_;    ///< (N)
  double* sum_;  ///< (N), of exp(l - maximum); after finish() the share
};

template <class T>
struct InfoNceStatistics {
  InfoNceStatistics(const Pairs<T>& pairs, Workspace& workspace)
      : rows(pairs.count, pairs.masked * pairs.scale, workspace),
        columns(pairs.count, pairs.masked * pairs.scale, workspace),
        pair_similarity(workspace.take<T>(pairs.count)) {}

  SoftmaxSide<T> rows;
  SoftmaxSide<T> columns;
  T* pair_similarity;  ///< (N), the diagonal of S
  double loss = 0;
};

/// Tiles side by side; each keeps the statistics of its pieces of rows until they are merged in order.
template <class T>
void add_block_statistics(const Pairs<T>& pairs, const Block<T>& block, InfoNceStatistics<T>& statistics,
                          Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  block.for_each_pair([&](Index r, Index c) {
    statistics.pair_similarity[block.row + r] = block.s(r, c);
    block.s(r, c) = pairs.masked;
  });
  const auto row_maximum = workspace.matrix<T>(block.tiles(), block.rows());
  const auto row_sum = workspace.matrix<T>(block.tiles(), block.rows());
  const auto column_maximum = workspace.matrix<T>(block.tiles(), tile_columns);
  const auto column_sum = workspace.matrix<T>(block.tiles(), tile_columns);
  parallel_for(block.tiles(), [&](Index t) {
    const Block<T> tile = block.tile(t);
    row_statistics<T>(tile.s, pairs.scale, row_maximum[t].data(), row_sum[t].data());
    column_statistics<T>(tile.s, pairs.scale, column_maximum[t].data(), column_sum[t].data());
    for (Index c = 0; c < tile.columns(); ++c) {
      statistics.columns.merge(tile.column + c, column_maximum(t, c), column_sum(t, c));
    }
  });
  for (Index t = 0; t < block.tiles(); ++t) {
    for (Index r = 0; r < block.rows(); ++r) {
      statistics.rows.merge(block.row + r, row_maximum(t, r), row_sum(t, r));
    }
  }
}

/// The first pass: everything that the loss and the gradient need to know about the logits.
template <class T>
InfoNceStatistics<T> info_nce_statistics(const Pairs<T>& pairs, Workspace& workspace) {
  InfoNceStatistics<T> statistics(pairs, workspace);
  for_each_block(pairs, Pass::forward, workspace,
                 [&](const Block<T>& block) { add_block_statistics(pairs, block, statistics, workspace); });
  const auto scale = static_cast<double>(pairs.scale);
  const double factor = scale / (2 * static_cast<double>(pairs.count));
  OrderedSum loss;
  for (Index i = 0; i < pairs.count; ++i) {
    const double pair_logit = scale * static_cast<double>(statistics.pair_similarity[i]);
    loss.add(statistics.rows.finish(i, pair_logit, factor));
    loss.add(statistics.columns.finish(i, pair_logit, factor));
  }
  statistics.loss = loss.value() / (2 * static_cast<double>(pairs.count));
  return statistics;
}

/// The block becomes d loss / d S = scale D. Returns its part of d logit_scale = sum (scale D) S.
template <class T>
double info_nce_block_gradient(const Pairs<T>& pairs, const Block<T>& block, const InfoNceStatistics<T>& statistics,
                               Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  block.for_each_pair([&](Index r, Index c) { block.s(r, c) = pairs.masked; });
  auto* parts = workspace.take<double>(block.tiles());
  parallel_for(block.tiles(), [&](Index t) {
    const Block<T> tile = block.tile(t);
    parts[t] = info_nce_gradient<T>(tile.s, pairs.scale, statistics.rows.factors(tile.row),
                                    statistics.columns.factors(tile.column));
  });
  OrderedSum d_logit_scale;
  for (Index t = 0; t < block.tiles(); ++t) d_logit_scale.add(parts[t]);
  const double factor = static_cast<double>(pairs.scale) / (2 * static_cast<double>(pairs.count));
  block.for_each_pair([&](Index r, Index c) {
    const Index i = block.row + r;
    const double gradient = -factor * (statistics.rows.others(i) + statistics.columns.others(i));
    block.s(r, c) = static_cast<T>(gradient);
    d_logit_scale.add(gradient * static_cast<double>(statistics.pair_similarity[i]));
  });
  return d_logit_scale.value();
}

}  // namespace detail

/// image, text: (N, E), rows of unit length (ops/l2_normalize.hpp)   logit_scale: in log space, in [-20, 20]
template <class T>
class ClipLoss {
 public:
  /// `precision` of the products, where this machine has it; softmax, sums and gradients of the scale are T.
  explicit ClipLoss(Precision precision = Precision::float32) : precision_(precision) {}

  T forward(TensorView<const T, 2> image, TensorView<const T, 2> text, T logit_scale, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const detail::Pairs<T> pairs("clip_loss", image, text, logit_scale, T(0), precision_);
    return static_cast<T>(detail::info_nce_statistics(pairs, workspace).loss);
  }

  /// The loss, and its gradients (assigned; not over the features).
  T forward_backward(TensorView<const T, 2> image, TensorView<const T, 2> text, T logit_scale,
                     ContrastiveGradients<T>& gradients, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const detail::Pairs<T> pairs("clip_loss", image, text, logit_scale, T(0), precision_);
    detail::begin_gradients("clip_loss", pairs, gradients);
    const auto statistics = detail::info_nce_statistics(pairs, workspace);
    detail::OrderedSum d_logit_scale;
    detail::for_each_block(pairs, detail::Pass::backward, workspace, [&](const detail::Block<T>& block) {
      d_logit_scale.add(detail::info_nce_block_gradient(pairs, block, statistics, workspace));
      detail::add_block_gradient(pairs, block, gradients, workspace);
    });
    gradients.logit_scale = static_cast<T>(d_logit_scale.value());
    gradients.logit_bias = T(0);
    return static_cast<T>(statistics.loss);
  }

 private:
  Precision precision_;
};

}  // namespace couplet::inline COUPLET_ABI::losses
