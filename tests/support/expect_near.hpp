#pragma once
/// Comparisons of whole tensors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

#include "couplet/core/tensor.hpp"

namespace couplet::test {

/// max |actual - expected|; infinite when something is not a number or the sizes differ.
template <class A, class E>
double largest_error(const A& actual, const E& expected) {
  if (actual.size() != expected.size()) return HUGE_VAL;
  double error = 0;
  for (Index i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>(actual.data()[i]) - static_cast<double>(expected.data()[i]));
    if (!(difference <= error)) error = std::isnan(difference) ? HUGE_VAL : difference;
  }
  return error;
}

/// max |values|.
template <class V>
double largest_magnitude(const V& values) {
  double largest = 0;
  for (Index i = 0; i < values.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(values.data()[i])));
  return largest;
}

/// max |actual - expected| / max |expected|
template <class A, class E>
double relative_error(const A& actual, const E& expected) {
  const double largest = largest_magnitude(expected);
  const double error = largest_error(actual, expected);
  return largest > 0 ? error / largest : error;
}

/// "9.0e-07", for figures that tests record.
inline std::string short_text(double value) {
  char text[32];
  return std::string(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.1e", value)));
}

/// Whole tensors: the largest error relative to the largest expected element.
template <class A, class E>
testing::AssertionResult near_relative_to_max(const A& actual, const E& expected, double tolerance) {
  const double error = relative_error(actual, expected);
  if (error <= tolerance) return testing::AssertionSuccess();
  Index worst = 0;
  double worst_difference = -1;
  for (Index i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    const double difference = std::abs(static_cast<double>(actual.data()[i]) - static_cast<double>(expected.data()[i]));
    if (!(difference <= worst_difference)) {
      worst = i;
      worst_difference = difference;
      if (std::isnan(difference)) break;
    }
  }
  return testing::AssertionFailure() << "relative error " << error << " > " << tolerance << "; element " << worst
                                     << " is " << actual.data()[worst] << ", expected " << expected.data()[worst];
}

/// Bit for bit, signs of zero included.
template <class A, class B>
testing::AssertionResult same_bits(const A& a, const B& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " elements, " << b.size() << " elements";
  for (Index i = 0; i < a.size(); ++i) {
    if (std::memcmp(a.data() + i, b.data() + i, sizeof(*a.data())) != 0) {
      return testing::AssertionFailure() << "element " << i << ": " << a.data()[i] << " and " << b.data()[i];
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace couplet::test
