#pragma once
/// An exponential moving average of a model's weights (EMA):
///
///   average <- average + (1 - d) (weight - average)          d = min(decay, (1 + t) / (10 + t)) in step t = 0, 1, ...
///
/// The growing decay lets the average leave the initial weights at once (TensorFlow's ExponentialMovingAverage with
/// num_updates). Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/nn/parameter.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// Borrows the model, which must stay where it is. Frozen parameters are not averaged: they equal their average. The
/// running statistics of batch norm are, as they belong to the weights.
template <class T>
class WeightAverage {
 public:
  /// std::invalid_argument: decay not in [0, 1).
  template <class Model>
  WeightAverage(Model& model, double decay) : decay_(decay) {
    if (!(decay >= 0 && decay < 1)) fail("ema", "decay must be in [0, 1): " + std::to_string(decay));
    const auto add = [&](std::string_view name, Parameter<T>& parameter) {
      slots_.push_back({std::string(name), &parameter, parameter.value});
    };
    model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
      if (parameter.trainable) add(name, parameter);
    });
    if constexpr (requires { model.visit_buffers(add); }) model.visit_buffers(add);
  }

  /// After step t of the optimiser, counted from 0.
  void update(std::int64_t t) {
    const auto steps = static_cast<double>(t);
    const auto rate = static_cast<T>(1 - std::min(decay_, (1 + steps) / (10 + steps)));
    parallel_for(static_cast<Index>(slots_.size()), [&](Index i) {
      Slot& slot = slots_[static_cast<std::size_t>(i)];
      const T* value = slot.parameter->value.data();
      T* average = slot.average.data();
      for (Index k = 0; k < slot.average.size(); ++k) average[k] += rate * (value[k] - average[k]);
    });
  }

  /// Exchanges the model's weights with their averages; called twice, everything is as before. prepare() the model
  /// after each.
  void swap() {
    for (Slot& slot : slots_) std::swap(slot.parameter->value, slot.average);
  }

  /// f("NAME.ema", shape, TensorView<T, 1>), parameters, then buffers.
  template <class F>
  void visit_state(F&& f) {
    for (Slot& slot : slots_) {
      f(slot.name + ".ema", slot.parameter->shape, TensorView<T, 1>(slot.average.data(), {slot.average.size()}));
    }
  }

 private:
  struct Slot {
    std::string name;
    Parameter<T>* parameter;
    ParameterValues<T> average;
  };
  double decay_;
  std::vector<Slot> slots_;
};

}  // namespace couplet::inline COUPLET_ABI::optim
