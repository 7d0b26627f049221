#pragma once
/// Proves the gradients of whole modules by central differences in double.
#include <string>

#include "couplet/nn/module.hpp"
#include "support/gradient_check.hpp"

namespace couplet::test {

/// Every parameter gets its own random values (LayerNorm's too), so that no gradient is trivially zero.
template <class M>
void randomize(M& module, std::uint64_t seed, double deviation = 0.3) {
  module.visit_parameters([&](std::string_view, Parameter<double>& parameter) {
    const double mean = parameter.shape.rank() == 1 ? 0.7 : 0.0;
    const auto values = random_vector<double>(parameter.size(), ++seed, deviation, mean);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
}

/// loss() must read the parameters afresh (call prepare()); gradients must have been computed already. At most
/// `max_elements` elements of each parameter are tried.
template <class M, class Loss>
void expect_parameter_gradients(M& module, Loss&& loss, double tolerance = 1e-7, std::size_t max_elements = 10,
                                double h = 1e-3) {
  module.visit_parameters([&](std::string_view name, Parameter<double>& parameter) {
    const auto size = static_cast<std::size_t>(parameter.size());
    ASSERT_TRUE(parameter.has_grad()) << name;
    EXPECT_TRUE(
        check_gradient(loss, {parameter.value.data(), size}, {parameter.grad.data(), size}, tolerance, max_elements, h))
        << "parameter " << name;
  });
}

}  // namespace couplet::test
