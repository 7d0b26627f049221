#pragma once
/// Interpolation of two sets of weights. Between a model and its fine-tuned self it keeps much of both: fine-tuning
/// alone forgets. Wortsman et al., "Robust fine-tuning of zero-shot models", 2022 (WiSE-FT).
#include <string>
#include <vector>

#include "couplet/models/clip.hpp"

namespace couplet::inline COUPLET_ABI {

/// model = (1 - alpha) model + alpha other, for every parameter, logit_scale included, and for running statistics; then
/// prepares `model`. std::invalid_argument: alpha outside [0, 1], or models of different structure, naming the
/// parameter.
template <class T>
void interpolate_weights(Clip<T>& model, Clip<T>& other, double alpha) {
  if (!(alpha >= 0.0 && alpha <= 1.0)) fail("interpolate_weights", "alpha is not in [0, 1]");
  struct Named {
    std::string name;
    Parameter<T>* parameter;
  };
  const auto list = [](Clip<T>& of) {
    std::vector<Named> all;
    nn::visit_state(of, [&](std::string_view name, Parameter<T>& p) { all.push_back({std::string(name), &p}); });
    return all;
  };
  const std::vector<Named> to = list(model), from = list(other);
  for (std::size_t i = 0; i < std::max(to.size(), from.size()); ++i) {
    const bool both = i < to.size() && i < from.size();
    if (both && to[i].name == from[i].name && to[i].parameter->shape == from[i].parameter->shape) continue;
    const Named& first = i < to.size() ? to[i] : from[i];
    fail("interpolate_weights", "the models differ: " + first.name + " " + to_string(first.parameter->shape) +
                                    (both ? " and " + from[i].name + " " + to_string(from[i].parameter->shape) : ""));
  }
  for (std::size_t i = 0; i < to.size(); ++i) {
    T* y = to[i].parameter->value.data();
    const T* x = from[i].parameter->value.data();
    for (Index k = 0; k < to[i].parameter->size(); ++k) {
      y[k] = static_cast<T>((1.0 - alpha) * static_cast<double>(y[k]) + alpha * static_cast<double>(x[k]));
    }
  }
  model.prepare();
}

}  // namespace couplet::inline COUPLET_ABI
