#pragma once
/// The statistics of a softmax over logits that come in pieces: largest logit and sum of exponentials, the true pair
/// apart from the others.
#include <algorithm>
#include <cmath>

#include "couplet/core/workspace.hpp"
#include "couplet/losses/contrastive_tiles.hpp"

namespace couplet::inline COUPLET_ABI::losses::detail {

/// Probability = weight exp(l - maximum), for one row or column.
template <class T>
struct SoftmaxFactor {
  T maximum;
  T weight;
};

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
  void merge(Index i, T maximum, double sum) {
    const double step = static_cast<double>(maximum) - static_cast<double>(maximum_[i]);
    if (step > 0) {
      sum_[i] *= std::exp(-step);
      maximum_[i] = maximum;
    }
    sum_[i] += sum * (step < 0 ? std::exp(step) : 1.0);
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

  /// What merge() has taken in so far; begin_again() forgets it.
  [[nodiscard]] T maximum(Index i) const { return maximum_[i]; }
  [[nodiscard]] double sum(Index i) const { return sum_[i]; }
  void begin_again(Index i, T masked_logit) {
    maximum_[i] = masked_logit;
    sum_[i] = 0;
  }
  /// The factors of row or column i, and what another process found for it.
  [[nodiscard]] SoftmaxFactor<T> factor(Index i) const { return {maximum_[i], weight_[i]}; }
  void set_factor(Index i, SoftmaxFactor<T> factor) {
    maximum_[i] = factor.maximum;
    weight_[i] = factor.weight;
  }

  [[nodiscard]] double others(Index i) const { return sum_[i]; }
  [[nodiscard]] SoftmaxFactors<T> factors(Index begin) const { return {maximum_ + begin, weight_ + begin}; }

 private:
  T* maximum_;   ///< (N), the largest logit but the pair's
  T* weight_;    ///< (N)
  double* sum_;  ///< (N), of exp(l - maximum); after finish() the share
};

}  // namespace couplet::inline COUPLET_ABI::losses::detail
