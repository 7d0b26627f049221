#pragma once
/// Learning rates over the steps of a run: linear warm-up, then one of four shapes (names as open_clip's).
///
///   step < warmup:   base (step + 1) / warmup
///   cosine:          base (1 + cos(pi (step - warmup) / (steps - warmup))) / 2
///   const:           base
///   const-cooldown:  base, and over the last `cooldown` steps end + (base - end) (1 - k / cooldown)^power in step k of
///                    them
///   rsqrt:           base sqrt(timescale / (step - warmup + timescale)), with the same cooldown towards `cooldown_end`
///                    where `cooldown` is not 0
///
/// cosine, const and const-cooldown are open_clip's formulas; rsqrt is that of Zhai et al., "Scaling Vision
/// Transformers", 2021, with the timescale of big_vision (10,000).
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// A value: the rate is a function of the step alone, so a resumed run needs no state.
struct LearningRateSchedule {
  enum class Kind { cosine, constant, constant_cooldown, rsqrt };

  Kind kind = Kind::cosine;
  double base = 5e-4;
  std::int64_t warmup = 0;    ///< steps of the warm-up
  std::int64_t steps = 0;     ///< of the whole run, warm-up included; const, and rsqrt without cooldown, have no end
  std::int64_t cooldown = 0;  ///< steps of the cooldown at the end
  double cooldown_power = 1;
  double cooldown_end = 0;  ///< the rate that the cooldown goes to
  double timescale = 10000;

  /// Throws std::invalid_argument when the fields do not make a schedule.
  void validate() const {
    if (!(base >= 0) || base > 1e30) fail("learning_rate", "base must be finite and not negative");
    if (warmup < 0) fail("learning_rate", "warmup must not be negative: " + std::to_string(warmup));
    if (ends() && steps < 1) fail("learning_rate", "steps must be positive: " + std::to_string(steps));
    if (cooldown < 0 || (cools_down() && warmup + cooldown > steps)) {
      fail("learning_rate", "warm-up (" + std::to_string(warmup) + ") and cooldown (" + std::to_string(cooldown) +
                                ") do not fit into " + std::to_string(steps) + " steps");
    }
    if (kind == Kind::constant_cooldown && cooldown == 0) fail("learning_rate", "const-cooldown needs a cooldown");
    if (!(cooldown_power > 0 && cooldown_end >= 0 && cooldown_end <= base)) {
      fail("learning_rate", "the cooldown needs a positive power and an end in [0, base]");
    }
    if (!(timescale > 0)) fail("learning_rate", "timescale must be positive: " + std::to_string(timescale));
  }

  /// The rate of step 0, 1, ..., steps - 1. From `steps` on a schedule that ends gives the end of its curve.
  [[nodiscard]] double at(std::int64_t step) const {
    if (step < 0) fail("learning_rate", "step must not be negative: " + std::to_string(step));
    if (step < warmup) return base * static_cast<double>(step + 1) / static_cast<double>(warmup);
    if (kind == Kind::cosine) return cosine(step);
    const double rate =
        kind == Kind::rsqrt ? base * std::sqrt(timescale / (static_cast<double>(step - warmup) + timescale)) : base;
    if (!cools_down() || step < steps - cooldown) return rate;
    if (step >= steps) return cooldown_end;
    const double done = static_cast<double>(step - (steps - cooldown)) / static_cast<double>(cooldown);
    return cooldown_end + (rate - cooldown_end) * std::pow(1 - done, cooldown_power);
  }

 private:
  [[nodiscard]] bool cools_down() const {
    return kind == Kind::constant_cooldown || (kind == Kind::rsqrt && cooldown > 0);
  }
  [[nodiscard]] bool ends() const { return kind == Kind::cosine || cools_down(); }

  [[nodiscard]] double cosine(std::int64_t step) const {
    if (step >= steps) return 0;
    const double done = static_cast<double>(step - warmup) / static_cast<double>(steps - warmup);
    return 0.5 * (1 + std::cos(std::numbers::pi * done)) * base;
  }
};

}  // namespace couplet::inline COUPLET_ABI::optim
