#pragma once
/// AdamW in the order of torch.optim.AdamW:
///
///   p <- p (1 - lr weight_decay)
///   m <- m + (1 - beta1) (g - m)                      v <- beta2 v + (1 - beta2) g^2
///   p <- p - (lr / (1 - beta1^t)) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
///
/// with open_clip's defaults for ViT. Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
#include <cmath>
#include <string>
#include <type_traits>

#include "couplet/optim/optimizer.hpp"
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

template <class T>
class AdamW final : public Optimizer<T> {
 public:
  template <class Model>
  requires(!std::is_same_v<std::remove_const_t<Model>, AdamW>) explicit AdamW(Model& model, AdamWOptions options = {})
      : Optimizer<T>("adamw", {"exp_avg", "exp_avg_sq"}, model), options_(options) {
    detail::check_options("adamw", options.beta1, options.beta2, options.weight_decay);
    if (!(options.eps >= 0)) fail("adamw", "eps must not be negative: " + std::to_string(options.eps));
  }

  [[nodiscard]] const AdamWOptions& options() const { return options_; }

  /// One step. The gradients are multiplied by `grad_scale` as they are read (see clip_coefficient()). Every element is
  /// computed from its own numbers alone: same bits for any number of threads. Nothing changes if a check fails.
  void step(double learning_rate, double grad_scale = 1) {
    this->begin_step();
    const auto t = static_cast<double>(this->steps());
    const double correction1 = 1 - std::pow(options_.beta1, t);
    const double correction2 = 1 - std::pow(options_.beta2, t);
    detail::AdamWFactors<T> factors{};
    factors.grad_scale = static_cast<T>(grad_scale);
    factors.one_minus_beta1 = static_cast<T>(1 - options_.beta1);
    factors.beta2 = static_cast<T>(options_.beta2);
    factors.one_minus_beta2 = static_cast<T>(1 - options_.beta2);
    factors.bias_correction2_sqrt = static_cast<T>(std::sqrt(correction2));
    factors.eps = static_cast<T>(options_.eps);
    this->for_each_chunk([&](typename Optimizer<T>::Slot& slot, Index begin, Index end) {
      const double rate = learning_rate * slot.lr_scale;
      detail::AdamWFactors<T> own = factors;
      own.step_size = static_cast<T>(rate / correction1);
      own.decay = static_cast<T>(slot.decays ? 1 - rate * options_.weight_decay : 1);
      detail::adamw_update(own, slot.parameter->grad.data() + begin, slot.parameter->value.data() + begin,
                           slot.state[0].data() + begin, slot.state[1].data() + begin, end - begin);
    });
  }

 private:
  AdamWOptions options_;
};

}  // namespace couplet::inline COUPLET_ABI::optim
