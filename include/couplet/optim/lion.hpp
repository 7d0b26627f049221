#pragma once
/// Lion, "evolved sign momentum":
///
///   u = sign(beta1 m + (1 - beta1) g)
///   p <- p (1 - lr weight_decay) - lr u
///   m <- beta2 m + (1 - beta2) g
///
/// Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, program 1. One moment instead of two. Its steps
/// are larger than AdamW's: the authors take a learning rate 3 to 10 times smaller and a weight decay as much larger.
#include <type_traits>

#include "couplet/optim/optimizer.hpp"

namespace couplet::inline COUPLET_ABI::optim {

struct LionOptions {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 1.0;  ///< for the parameters that has_weight_decay() names
};

template <class T>
class Lion final : public Optimizer<T> {
 public:
  template <class Model>
  requires(!std::is_same_v<std::remove_const_t<Model>, Lion>) explicit Lion(Model& model, LionOptions options = {})
      : Optimizer<T>("lion", {"exp_avg"}, model), options_(options) {
    detail::check_options("lion", options.beta1, options.beta2, options.weight_decay);
  }

  [[nodiscard]] const LionOptions& options() const { return options_; }

  /// One step, as AdamW::step(): gradients times `grad_scale`, same bits for any number of threads.
  void step(double learning_rate, double grad_scale = 1) {
    this->begin_step();
    const auto beta1 = static_cast<T>(options_.beta1), beta2 = static_cast<T>(options_.beta2);
    const auto one_minus_beta1 = static_cast<T>(1 - options_.beta1);
    const auto one_minus_beta2 = static_cast<T>(1 - options_.beta2);
    const auto scale = static_cast<T>(grad_scale);
    this->for_each_chunk([&](typename Optimizer<T>::Slot& slot, Index begin, Index end) {
      const double rate = learning_rate * slot.lr_scale;
      const auto step_size = static_cast<T>(rate);
      const auto decay = static_cast<T>(slot.decays ? 1 - rate * options_.weight_decay : 1);
      const T* grad = slot.parameter->grad.data();
      T* value = slot.parameter->value.data();
      T* exp_avg = slot.state[0].data();
      for (Index i = begin; i < end; ++i) {
        const T g = grad[i] * scale;
        const T direction = beta1 * exp_avg[i] + one_minus_beta1 * g;
        const T sign = static_cast<T>((direction > T(0)) - (direction < T(0)));
        value[i] = value[i] * decay - step_size * sign;
        exp_avg[i] = beta2 * exp_avg[i] + one_minus_beta2 * g;
      }
    });
  }

 private:
  LionOptions options_;
};

}  // namespace couplet::inline COUPLET_ABI::optim
