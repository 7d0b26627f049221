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
#include "couplet/losses/shared_pairs.hpp"
#include "couplet/losses/softmax_side.hpp"

namespace couplet::inline COUPLET_ABI::losses {

namespace detail {

template <class T>
struct InfoNceStatistics {
  InfoNceStatistics(const Pairs<T>& pairs, Workspace& workspace)
      : rows(pairs.image.extent(0), pairs.masked * pairs.scale, workspace),
        columns(pairs.text.extent(0), pairs.masked * pairs.scale, workspace),
        pair_similarity(workspace.take<T>(pairs.image.extent(0))) {}

  SoftmaxSide<T> rows;
  SoftmaxSide<T> columns;
  T* pair_similarity;  ///< (M), the diagonal of S
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

/// The first pass: everything that the loss and the gradient need to know about the logits. `pairs` has the texts of
/// all processes; a process finishes its own rows and columns.
template <class T>
InfoNceStatistics<T> info_nce_statistics(const Pairs<T>& pairs, const PairShares& shares, Workspace& workspace) {
  InfoNceStatistics<T> statistics(pairs, workspace);
  for_each_block(pairs, Pass::forward, workspace,
                 [&](const Block<T>& block) { add_block_statistics(pairs, block, statistics, workspace); });
  merge_columns(statistics.columns, pairs, shares, workspace);
  const auto scale = static_cast<double>(pairs.scale);
  const double factor = scale / (2 * static_cast<double>(pairs.count));
  OrderedSum loss;
  for (Index i = 0; i < pairs.image.extent(0); ++i) {
    const double pair_logit = scale * static_cast<double>(statistics.pair_similarity[i]);
    loss.add(statistics.rows.finish(i, pair_logit, factor));
    loss.add(statistics.columns.finish(pairs.first_image + i, pair_logit, factor));
  }
  share_column_factors(statistics.columns, shares, workspace);
  statistics.loss = shares.sum(loss.value(), workspace) / (2 * static_cast<double>(pairs.count));
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
    const double gradient = -factor * (statistics.rows.others(i) + statistics.columns.others(block.column + c));
    block.s(r, c) = static_cast<T>(gradient);
    d_logit_scale.add(gradient * static_cast<double>(statistics.pair_similarity[i]));
  });
  return d_logit_scale.value();
}

}  // namespace detail

/// image, text: (N, E), rows of unit length (ops/l2_normalize.hpp)   logit_scale: in log space, in [-20, 20]
///
/// Where a communicator joins several processes, each has consecutive pairs of the batch, in the order of ranks. All
/// get the loss of the whole batch and the gradients of their own features; the gradient of logit_scale is their share
/// of a sum over processes. Texts are gathered; each process forms the rows of Z of its images.
template <class T>
class ClipLoss {
 public:
  /// `precision` of the products, where this machine has it; softmax, sums and gradients of the scale are T.
  explicit ClipLoss(Precision precision = Precision::float32,
                    distributed::Communicator& communicator = distributed::alone())
      : precision_(precision), communicator_(communicator) {}

  T forward(TensorView<const T, 2> image, TensorView<const T, 2> text, T logit_scale, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const detail::Pairs<T> own("clip_loss", image, text, logit_scale, T(0), precision_);
    const detail::PairShares shares(communicator_, own.count, workspace);
    const detail::Pairs<T> pairs = detail::gather_texts(own, shares, workspace);
    return static_cast<T>(detail::info_nce_statistics(pairs, shares, workspace).loss);
  }

  /// The loss, and its gradients (assigned; not over the features).
  T forward_backward(TensorView<const T, 2> image, TensorView<const T, 2> text, T logit_scale,
                     ContrastiveGradients<T>& gradients, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const detail::Pairs<T> own("clip_loss", image, text, logit_scale, T(0), precision_);
    const detail::PairShares shares(communicator_, own.count, workspace);
    const detail::Pairs<T> pairs = detail::gather_texts(own, shares, workspace);
    detail::begin_gradients("clip_loss", own, gradients);
    ContrastiveGradients<T> of_all_texts = detail::for_gathered_texts(gradients, shares, workspace);
    const auto statistics = detail::info_nce_statistics(pairs, shares, workspace);
    detail::OrderedSum d_logit_scale;
    detail::for_each_block(pairs, detail::Pass::backward, workspace, [&](const detail::Block<T>& block) {
      d_logit_scale.add(detail::info_nce_block_gradient(pairs, block, statistics, workspace));
      detail::add_block_gradient(pairs, block, of_all_texts, workspace);
    });
    detail::sum_text_gradients(of_all_texts, shares, gradients, workspace);
    gradients.logit_scale = static_cast<T>(d_logit_scale.value());
    gradients.logit_bias = T(0);
    return static_cast<T>(statistics.loss);
  }

 private:
  Precision precision_;
  distributed::Communicator& communicator_;
};

}  // namespace couplet::inline COUPLET_ABI::losses
