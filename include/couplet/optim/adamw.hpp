#pragma once
/// AdamW in the order of torch.optim.AdamW:
///
///   p <- p (1 - lr weight_decay)
///   m <- m + (1 - beta1) (g - m)                      v <- beta2 v + (1 - beta2) g^2
///   p <- p - (lr / (1 - beta1^t)) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
///
/// with open_clip's defaults for ViT. Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/nn/parameter.hpp"
#include "couplet/optim/weight_decay.hpp"
#include "couplet/simd/adamw.hpp"

namespace couplet::inline COUPLET_ABI::optim {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.98;
  double eps = 1e-6;
  double weight_decay = 0.2;  ///< for the parameters that has_weight_decay() names
};

namespace detail {

/// The factors of one step, computed in double and rounded once to T.
template <class T>
struct AdamWFactors {
  T grad_scale;
  T decay;  ///< 1 - lr weight_decay, or 1
  T one_minus_beta1;
  T beta2;
  T one_minus_beta2;
  T step_size;              ///< lr / (1 - beta1^t)
  T bias_correction2_sqrt;  ///< sqrt(1 - beta2^t)
  T eps;
};

template <class T>
void adamw_update(const AdamWFactors<T>& f, const T* grad, T* value, T* exp_avg, T* exp_avg_sq, Index count) {
  if constexpr (std::is_same_v<T, float>) {
    const simd::AdamWFactors factors{f.grad_scale,      f.decay,     f.one_minus_beta1,       f.beta2,
                                     f.one_minus_beta2, f.step_size, f.bias_correction2_sqrt, f.eps};
    simd::adamw_kernels().update(factors, grad, value, exp_avg, exp_avg_sq, count);
    return;
  }
  for (Index i = 0; i < count; ++i) {
    const T g = grad[i] * f.grad_scale;
    exp_avg[i] += f.one_minus_beta1 * (g - exp_avg[i]);
    exp_avg_sq[i] = f.beta2 * exp_avg_sq[i] + f.one_minus_beta2 * g * g;
    const T denominator = std::sqrt(exp_avg_sq[i]) / f.bias_correction2_sqrt + f.eps;
    value[i] = value[i] * f.decay - f.step_size * exp_avg[i] / denominator;
  }
}

}  // namespace detail

/// Steps the trainable parameters of one model. Borrows them: the model must stay where it is, keep its shapes, and
/// outlive the optimiser. A parameter that is frozen when the optimiser is made has no state and is never stepped; one
/// that is frozen later keeps its state and stays put while frozen.
template <class T>
class AdamW {
 public:
  template <class Model>
  requires(!std::is_same_v<std::remove_const_t<Model>, AdamW>) explicit AdamW(Model& model, AdamWOptions options = {})
      : options_(options) {
    validate();
    model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
      if (parameter.trainable)
        add(name, parameter);
      else
        frozen_.emplace_back(std::string(name), &parameter);
    });
  }

  [[nodiscard]] const AdamWOptions& options() const { return options_; }
  /// Steps taken so far.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// For a run that is resumed, together with visit_state().
  void set_steps(std::int64_t steps) {
    if (steps < 0) fail("adamw", "steps must not be negative: " + std::to_string(steps));
    steps_ = steps;
  }

  /// Gradients of all trainable parameters exist and are zero.
  void zero_grad() {
    for (auto& slot : slots_) slot.parameter->zero_grad();
  }

  /// One step. The gradients are multiplied by `grad_scale` as they are read (see clip_coefficient()). Every element is
  /// computed from its own numbers alone: same bits for any number of threads. Nothing changes if a check fails.
  void step(double learning_rate, double grad_scale = 1) {
    check();
    ++steps_;
    const auto t = static_cast<double>(steps_);
    const double correction1 = 1 - std::pow(options_.beta1, t);
    const double correction2 = 1 - std::pow(options_.beta2, t);
    detail::AdamWFactors<T> factors{};
    factors.grad_scale = static_cast<T>(grad_scale);
    factors.one_minus_beta1 = static_cast<T>(1 - options_.beta1);
    factors.beta2 = static_cast<T>(options_.beta2);
    factors.one_minus_beta2 = static_cast<T>(1 - options_.beta2);
    factors.step_size = static_cast<T>(learning_rate / correction1);
    factors.bias_correction2_sqrt = static_cast<T>(std::sqrt(correction2));
    factors.eps = static_cast<T>(options_.eps);
    parallel_for(static_cast<Index>(chunks_.size()), [&](Index i) {
      const Chunk& chunk = chunks_[static_cast<std::size_t>(i)];
      Slot& slot = slots_[chunk.slot];
      if (!slot.parameter->trainable) return;
      detail::AdamWFactors<T> own = factors;
      own.decay = static_cast<T>(slot.decays ? 1 - learning_rate * options_.weight_decay : 1);
      detail::adamw_update(own, slot.parameter->grad.data() + chunk.begin, slot.parameter->value.data() + chunk.begin,
                           slot.exp_avg.data() + chunk.begin, slot.exp_avg_sq.data() + chunk.begin,
                           chunk.end - chunk.begin);
    });
  }

  /// The moments, in the order of visit_parameters: f("NAME.exp_avg", shape, TensorView<T, 1>), then
  /// "NAME.exp_avg_sq". With steps() they are the whole state.
  template <class F>
  void visit_state(F&& f) {
    for (auto& slot : slots_) {
      const Index size = slot.exp_avg.size();
      f(slot.name + ".exp_avg", slot.parameter->shape, TensorView<T, 1>(slot.exp_avg.data(), {size}));
      f(slot.name + ".exp_avg_sq", slot.parameter->shape, TensorView<T, 1>(slot.exp_avg_sq.data(), {size}));
    }
  }

  /// f(name, decays): the parameters that are stepped and whether weight decay acts on them.
  template <class F>
  void visit_groups(F&& f) const {
    for (const auto& slot : slots_) f(slot.name, slot.decays);
  }

 private:
  struct Slot {
    std::string name;
    Parameter<T>* parameter;
    AlignedBuffer<T> exp_avg;     ///< m
    AlignedBuffer<T> exp_avg_sq;  ///< v
    bool decays;
  };
  struct Chunk {
    std::size_t slot;
    Index begin, end;
  };
  static constexpr Index chunk_size = Index{1} << 15;  ///< elements per task: 512 KiB of float in its four arrays

  void validate() const {
    const auto& o = options_;
    if (!(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1)) {
      fail("adamw", "betas must be in [0, 1): " + std::to_string(o.beta1) + ", " + std::to_string(o.beta2));
    }
    if (!(o.eps >= 0)) fail("adamw", "eps must not be negative: " + std::to_string(o.eps));
    if (!(o.weight_decay >= 0)) fail("adamw", "weight_decay must not be negative: " + std::to_string(o.weight_decay));
  }

  void add(std::string_view name, Parameter<T>& parameter) {
    for (Index begin = 0; begin < parameter.size(); begin += chunk_size) {
      chunks_.push_back({slots_.size(), begin, std::min(begin + chunk_size, parameter.size())});
    }
    slots_.push_back({std::string(name), &parameter, AlignedBuffer<T>(parameter.size()),
                      AlignedBuffer<T>(parameter.size()), has_weight_decay(name, parameter.shape)});
  }

  void check() const {
    for (const auto& slot : slots_) {
      if (!slot.parameter->trainable) continue;
      if (slot.parameter->size() != slot.exp_avg.size()) {
        fail("adamw", slot.name + " has " + std::to_string(slot.parameter->size()) + " elements but its moments have " +
                          std::to_string(slot.exp_avg.size()));
      }
      if (!slot.parameter->has_grad()) fail("adamw", slot.name + " has no gradient: call zero_grad() before backward");
    }
    for (const auto& [name, parameter] : frozen_) {
      if (parameter->trainable) fail("adamw", name + " was frozen when the optimiser was made: make a new one");
    }
  }

  AdamWOptions options_;
  std::int64_t steps_ = 0;
  std::vector<Slot> slots_;
  std::vector<Chunk> chunks_;
  std::vector<std::pair<std::string, const Parameter<T>*>> frozen_;
};

}  // namespace couplet::inline COUPLET_ABI::optim
