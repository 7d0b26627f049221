#pragma once
/// The sigmoid loss of SigLIP: every image-text combination of the batch is a yes-or-no question of its own.
///
///   Z = exp(logit_scale) image_features text_features^T + logit_bias      m_ij = 1 for the true pairs, else -1
///   loss = -1/N sum_ij log sigmoid(m_ij Z_ij)                             d loss / d Z = (sigmoid(Z) - I) / N =: D
///   d logit_scale = sum_ij D_ij (Z_ij - logit_bias)                       d logit_bias = sum_ij D_ij
/// Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023, algorithm 1.
///
/// One pass over the blocks of contrastive_blocks.hpp. The true pairs are treated in double: softplus(-Z_ii), where the
/// others have softplus(Z_ij), so nothing cancels.
#include "couplet/losses/contrastive_blocks.hpp"
#include "couplet/losses/contrastive_tiles.hpp"
#include "couplet/losses/shared_pairs.hpp"

namespace couplet::inline COUPLET_ABI::losses {

namespace detail {

/// Adds the sums of a tile's or a block's, in order.
struct SigmoidTotals {
  OrderedSum loss, gradient_s, gradient;

  void add(const simd::SigmoidSums& sums) {
    loss.add(sums.loss);
    gradient_s.add(sums.gradient_s);
    gradient.add(sums.gradient);
  }
};

/// Adds a block's share to `totals`; the block becomes d loss / d S = scale D.
template <class T>
void sigmoid_block(const Pairs<T>& pairs, const Block<T>& block, SigmoidTotals& totals, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  auto* pair_similarity = workspace.take<T>(block.rows());
  block.for_each_pair([&](Index r, Index c) {
    pair_similarity[r] = block.s(r, c);
    block.s(r, c) = pairs.masked;
  });
  const double weight = static_cast<double>(pairs.scale) / static_cast<double>(pairs.count);
  auto* parts = workspace.take<simd::SigmoidSums>(block.tiles());
  parallel_for(block.tiles(), [&](Index t) {
    parts[t] = sigmoid_gradient<T>(block.tile(t).s, pairs.scale, pairs.bias, static_cast<T>(weight));
  });
  for (Index t = 0; t < block.tiles(); ++t) totals.add(parts[t]);
  block.for_each_pair([&](Index r, Index c) {
    const auto s = static_cast<double>(pair_similarity[r]);
    const double z = static_cast<double>(pairs.scale) * s + static_cast<double>(pairs.bias);
    const double gradient = -weight * sigmoid(-z);
    block.s(r, c) = static_cast<T>(gradient);
    totals.add({softplus(-z), gradient * s, gradient});
  });
}

}  // namespace detail

/// image, text: (N, E), rows of unit length (ops/l2_normalize.hpp)   logit_scale: in log space, in [-20, 20]
///
/// Where a communicator joins several processes, each has consecutive pairs of the batch, in the order of ranks. All
/// get the loss of the whole batch and the gradients of their own features; the gradients of logit_scale and logit_bias
/// are their share of a sum over processes. Texts and their gradients travel around a ring, so that no process ever
/// holds more than two of its shares (Zhai et al., section 3.2).
template <class T>
class SigLipLoss {
 public:
  /// `precision` of the products, where this machine has it; the sums are T.
  explicit SigLipLoss(Precision precision = Precision::float32,
                      distributed::Communicator& communicator = distributed::alone())
      : precision_(precision), communicator_(communicator) {}

  T forward(TensorView<const T, 2> image, TensorView<const T, 2> text, T logit_scale, T logit_bias,
            Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const detail::Pairs<T> own("siglip_loss", image, text, logit_scale, logit_bias, precision_);
    const detail::PairShares shares(communicator_, own.count, workspace);
    detail::SigmoidTotals totals;
    detail::for_each_share_of_texts(own, shares, workspace, [&](const detail::Pairs<T>& pairs) {
      detail::for_each_block(pairs, detail::Pass::forward, workspace, [&](const detail::Block<T>& block) {
        detail::sigmoid_block(pairs, block, totals, workspace);
      });
    });
    return mean_loss(totals, shares, workspace);
  }

  /// The loss, and its gradients (assigned; not over the features).
  T forward_backward(TensorView<const T, 2> image, TensorView<const T, 2> text, T logit_scale, T logit_bias,
                     ContrastiveGradients<T>& gradients, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const detail::Pairs<T> own("siglip_loss", image, text, logit_scale, logit_bias, precision_);
    const detail::PairShares shares(communicator_, own.count, workspace);
    detail::begin_gradients("siglip_loss", own, gradients);
    detail::SigmoidTotals totals;
    detail::for_each_share_of_texts(
        own, shares, workspace, gradients, [&](const detail::Pairs<T>& pairs, ContrastiveGradients<T>& of_texts) {
          detail::for_each_block(pairs, detail::Pass::backward, workspace, [&](const detail::Block<T>& block) {
            detail::sigmoid_block(pairs, block, totals, workspace);
            detail::add_block_gradient(pairs, block, of_texts, workspace);
          });
        });
    gradients.logit_scale = static_cast<T>(totals.gradient_s.value());
    gradients.logit_bias = static_cast<T>(totals.gradient.value() / static_cast<double>(own.scale));
    return mean_loss(totals, shares, workspace);
  }

 private:
  static T mean_loss(const detail::SigmoidTotals& totals, const detail::PairShares& shares, Workspace& workspace) {
    return static_cast<T>(shares.sum(totals.loss.value(), workspace) / static_cast<double>(shares.count()));
  }

  Precision precision_;
  distributed::Communicator& communicator_;
};

}  // namespace couplet::inline COUPLET_ABI::losses
