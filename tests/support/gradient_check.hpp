#pragma once
/// Proves gradients by central differences in double.
///
/// A scalar loss L of an operation y = f(x) is <cotangent, y> with a random cotangent; then dL/dx is what the backward
/// pass returns for dy = cotangent. The four-point stencil
///   dL/dx_i = (8 (L(x_i + h) - L(x_i - h)) - (L(x_i + 2h) - L(x_i - 2h))) / 12 h + O(h^4)
/// with h = 1e-3 has truncation and rounding errors of about 1e-12 in these losses. Errors are relative to the largest
/// entry of the gradient. Losses with kinks (relu) want a step so small that it crosses none, smooth_step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"
#include "support/random_tensor.hpp"

namespace couplet::test {

template <class T, std::size_t Rank>
std::span<T> elements(Tensor<T, Rank>& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.size())};
}
template <class T, std::size_t Rank>
std::span<const T> elements(const Tensor<T, Rank>& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.size())};
}

/// Sum of a_i b_i: the loss of a random cotangent.
inline double inner_product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// dL/dt at t = 0 for loss(t), by the four-point stencil.
template <class Loss>
double central_difference(Loss&& loss, double h) {
  return (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h);
}

/// For losses that are smooth only piecewise; rounding errors are about 1e-9.
inline constexpr double smooth_step = 5e-7;

/// Compares gradient[i] with the difference quotient of loss() with respect to parameter[i]; loss() reads the elements
/// of `parameter`. At most `max_elements` elements are tried, spread evenly over the parameter.
template <class Loss>
testing::AssertionResult check_gradient(Loss&& loss, std::span<double> parameter, std::span<const double> gradient,
                                        double tolerance = 1e-8, std::size_t max_elements = 2000, double h = 1e-3) {
  if (parameter.size() != gradient.size()) {
    return testing::AssertionFailure() << parameter.size() << " parameters, " << gradient.size() << " gradients";
  }
  double largest = 0;
  for (const double g : gradient) largest = std::max(largest, std::abs(g));
  const double scale = std::max(largest, 1e-6);
  const ThreadLimit serial(1);  // thousands of tiny losses: waking threads would take all the time
  const std::size_t stride = std::max<std::size_t>(1, parameter.size() / max_elements);
  for (std::size_t i = 0; i < parameter.size(); i += stride) {
    const double value = parameter[i];
    const double expected = central_difference(
        [&](double t) {
          parameter[i] = value + t;
          return static_cast<double>(loss());
        },
        h);
    parameter[i] = value;
    if (!(std::abs(gradient[i] - expected) <= tolerance * scale)) {
      return testing::AssertionFailure() << "gradient[" << i << "] is " << gradient[i] << ", the difference quotient "
                                         << expected << "; relative to the largest gradient " << largest
                                         << " the error is " << std::abs(gradient[i] - expected) / scale;
    }
  }
  return testing::AssertionSuccess();
}

/// The same along one random direction: cheap for large parameters.
template <class Loss>
testing::AssertionResult check_directional_gradient(Loss&& loss, std::span<double> parameter,
                                                    std::span<const double> gradient, std::uint64_t seed,
                                                    double tolerance = 1e-7) {
  if (parameter.size() != gradient.size()) {
    return testing::AssertionFailure() << parameter.size() << " parameters, " << gradient.size() << " gradients";
  }
  const Index size = static_cast<Index>(parameter.size());
  const auto direction = random_vector<double>(size, seed, 1 / std::sqrt(static_cast<double>(size)));
  Tensor<double, 1> start({size});
  std::copy(parameter.begin(), parameter.end(), start.data());
  const double expected = central_difference(
      [&](double t) {
        for (Index i = 0; i < size; ++i) parameter[static_cast<std::size_t>(i)] = start[i] + t * direction[i];
        return static_cast<double>(loss());
      },
      1e-3);
  std::copy_n(start.data(), size, parameter.begin());
  const double actual = inner_product(gradient, elements(direction));
  double largest = 1e-6;
  for (const double g : gradient) largest = std::max(largest, std::abs(g));
  if (std::abs(actual - expected) <= tolerance * std::max(largest, std::abs(expected))) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "directional derivative " << actual << ", the difference quotient " << expected;
}

}  // namespace couplet::test
