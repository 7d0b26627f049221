#pragma once
/// Learning rates over the steps of a run: linear warm-up, then a cosine to zero or a constant (open_clip's formulas).
///
///   step < warmup:   base (step + 1) / warmup
///   cosine:          base (1 + cos(pi (step - warmup) / (steps - warmup))) / 2
///   constant:        base
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// A value: the rate is a function of the step alone, so a resumed run needs no state.
struct LearningRateSchedule {
  enum class Kind { cosine, constant };

  Kind kind = Kind::cosine;
  double base = 5e-4;
  std::int64_t warmup = 0;  ///< steps of the warm-up
  std::int64_t steps = 0;   ///< steps of the whole run, warm-up included; the constant schedule has no end

  /// Throws std::invalid_argument when the fields do not make a schedule.
  void validate() const {
    if (!(base >= 0) || base > 1e30) fail("learning_rate", "base must be finite and not negative");
    if (warmup < 0) fail("learning_rate", "warmup must not be negative: " + std::to_string(warmup));
    if (kind == Kind::cosine && steps < 1) fail("learning_rate", "steps must be positive: " + std::to_string(steps));
  }

  /// The rate of step 0, 1, ..., steps - 1. From `steps` on the cosine schedule gives 0.
  [[nodiscard]] double at(std::int64_t step) const {
    if (step < 0) fail("learning_rate", "step must not be negative: " + std::to_string(step));
    if (step < warmup) return base * static_cast<double>(step + 1) / static_cast<double>(warmup);
    if (kind == Kind::constant) return base;
    if (step >= steps) return 0;
    const double done = static_cast<double>(step - warmup) / static_cast<double>(steps - warmup);
    return 0.5 * (1 + std::cos(std::numbers::pi * done)) * base;
  }
};

}  // namespace couplet::inline COUPLET_ABI::optim
