#pragma once
/// Parameters of every kind that the optimiser tells apart, filled with random numbers.
#include <string_view>
#include <type_traits>

#include "couplet/core/random.hpp"
#include "couplet/nn/parameter.hpp"

namespace couplet::test {

template <class Buffer>
void fill_random(Buffer& buffer, Random& random, double scale) {
  using T = std::remove_reference_t<decltype(*buffer.data())>;
  for (Index i = 0; i < buffer.size(); ++i) buffer.data()[i] = static_cast<T>(scale * random.normal());
}

template <class T>
struct ToyModel {
  Parameter<T> weight{Shape{70, 1001}};  // more than two chunks of the optimiser, and a ragged end
  Parameter<T> bias{Shape{17}};
  Parameter<T> positional_embedding{Shape{5, 3}};
  Parameter<T> logit_scale{Shape{}};

  template <class F>
  void visit_parameters(F&& f) {
    f(std::string_view("mlp.weight"), weight);
    f(std::string_view("mlp.bias"), bias);
    f(std::string_view("visual.positional_embedding"), positional_embedding);
    f(std::string_view("logit_scale"), logit_scale);
  }

  void fill_values(std::uint64_t seed) {
    Random random(seed);
    visit_parameters([&](std::string_view, Parameter<T>& parameter) { fill_random(parameter.value, random, 1); });
  }
  /// Gradients of step `step`.
  void fill_gradients(std::uint64_t step, double scale = 1) {
    Random random(99, step);
    visit_parameters([&](std::string_view, Parameter<T>& parameter) {
      parameter.zero_grad();
      if (parameter.trainable) fill_random(parameter.grad, random, scale);
    });
  }
};

}  // namespace couplet::test
