#pragma once
/// Notices a model that learns nothing: the loss stays where it is for random features.
///
///   InfoNCE among N pairs: ln N        sigmoid loss, once the bias has found the share of true pairs: about ln N + 1
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "couplet/train/contrastive_step.hpp"

namespace couplet::inline COUPLET_ABI::train {

class LossWatch {
 public:
  static constexpr std::int64_t window = 50;     ///< losses that are averaged
  static constexpr std::int64_t patience = 200;  ///< steps after the warm-up before anything is said
  static constexpr double share = 0.98;          ///< of the untrained loss that counts as having learnt nothing

  LossWatch(LossKind kind, Index batch_size, std::int64_t warmup)
      : untrained_(std::log(static_cast<double>(batch_size)) + (kind == LossKind::siglip ? 1 : 0)),
        first_step_(warmup + patience),
        losses_(window) {}

  /// What a model without knowledge has for a loss.
  [[nodiscard]] double untrained_loss() const { return untrained_; }

  /// Takes the loss of a step, counted from 1; true when the model turns out to learn nothing, or to have begun to.
  bool add(std::int64_t step, double loss) {
    losses_[static_cast<std::size_t>(count_++ % window)] = loss;
    if (step < first_step_ || count_ < window) return false;
    double sum = 0;
    for (const double each : losses_) sum += each;
    const bool stuck = untrained_ > 0 && sum / static_cast<double>(window) > share * untrained_;
    const bool changed = stuck != stuck_;
    stuck_ = stuck;
    return changed;
  }

  [[nodiscard]] bool stuck() const { return stuck_; }
  /// Empty while nothing is wrong.
  [[nodiscard]] std::string note() const {
    if (!stuck_) return {};
    char text[256];
    std::snprintf(text, sizeof text,
                  "The loss stays at %.2f, that of a model that knows nothing about its batch: check learning rate and "
                  "warm-up, and whether captions belong to their pictures.",
                  untrained_);
    return text;
  }

 private:
  double untrained_;
  std::int64_t first_step_;
  std::vector<double> losses_;
  std::int64_t count_ = 0;
  bool stuck_ = false;
};

}  // namespace couplet::inline COUPLET_ABI::train
