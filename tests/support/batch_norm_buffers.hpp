#pragma once
/// Running statistics with values of their own, so that nothing depends on means of 0 and variances of 1.
#include <cmath>

#include "couplet/nn/module.hpp"
#include "support/random_tensor.hpp"

namespace couplet::test {

template <class T, class M>
void randomize_buffers(M& module, std::uint64_t seed) {
  module.visit_buffers([&](std::string_view name, Parameter<T>& buffer) {
    const auto values = random_vector<T>(buffer.size(), ++seed, 0.5);
    const bool variance = name.ends_with("running_var");
    for (Index i = 0; i < buffer.size(); ++i) {
      buffer.value.data()[i] = variance ? T(0.5) + std::abs(values[i]) : values[i];
      if (buffer.shape.rank() == 0) buffer.value.data()[i] = T(7);
    }
  });
}

}  // namespace couplet::test
