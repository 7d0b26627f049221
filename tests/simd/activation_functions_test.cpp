// Accuracy of exp and the activations on every level, against the standard library in double.
#include "simd/vector_probe.hpp"  // first: it brings couplet/simd/activation_functions.hpp with the kernel bodies

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "support/levels.hpp"

namespace couplet {
namespace {

using simd::Unary;

/// The values of a function at `points` points spread over [low, high].
struct Curve {
  std::vector<float> x;
  std::vector<float> y;
};

Curve sample(simd::Level level, Unary function, double low, double high, int points = 200000) {
  const simd::VectorProbe& probe = simd::vector_probe(level);
  const auto width = static_cast<std::size_t>(probe.width);
  Curve curve;
  curve.x.resize((static_cast<std::size_t>(points) + width - 1) / width * width);
  curve.y.resize(curve.x.size());
  const double step = (high - low) / static_cast<double>(curve.x.size() - 1);
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    curve.x[i] = static_cast<float>(std::clamp(low + step * static_cast<double>(i), low, high));
  }
  for (std::size_t i = 0; i < curve.x.size(); i += width) probe.unary(function, &curve.x[i], &curve.y[i]);
  return curve;
}

/// The largest |y - f(x)| / max(floor, |f(x)|).
template <class F>
double largest_error(const Curve& curve, double floor, F&& f) {
  double largest = 0;
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    const double expected = f(static_cast<double>(curve.x[i]));
    const double error = std::abs(static_cast<double>(curve.y[i]) - expected) / std::max(floor, std::abs(expected));
    largest = std::max(largest, error);
  }
  return largest;
}

double normal_distribution(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }

TEST(ActivationFunctions, ExpHasFullRelativeAccuracy) {
  test::for_each_level([](simd::Level level) {
    const auto f = [](double x) { return std::exp(x); };
    const double wide = largest_error(sample(level, Unary::exp, -87.33, 88.37), 0, f);
    const double narrow = largest_error(sample(level, Unary::exp, -2, 2), 0, f);
    EXPECT_LE(wide, 1.3e-7);
    EXPECT_LE(narrow, 1.3e-7);
  });
}

TEST(ActivationFunctions, ExpSaturatesAndIsZeroBelowTheNormalNumbers) {
  test::for_each_level([](simd::Level level) {
    const Curve low = sample(level, Unary::exp, -1000, -87.34, 1000);
    for (const float y : low.y) EXPECT_EQ(y, 0.0F);
    const Curve high = sample(level, Unary::exp, 88.38, 1000, 1000);
    for (const float y : high.y) EXPECT_GT(y, 2.3e38F);
    std::array<float, 16> x{};
    std::array<float, 16> y{};
    x.fill(std::bit_cast<float>(0xff800000U));  // -infinity: a masked score
    simd::vector_probe(level).unary(Unary::exp, x.data(), y.data());
    EXPECT_EQ(y[0], 0.0F);
    x.fill(0.0F);
    simd::vector_probe(level).unary(Unary::exp, x.data(), y.data());
    EXPECT_EQ(y[0], 1.0F);
  });
}

TEST(ActivationFunctions, NotANumberComesThrough) {
  test::for_each_level([](simd::Level level) {
    std::array<float, 16> x{};
    x.fill(std::bit_cast<float>(0x7fc00000U));
    for (const Unary f : {Unary::exp, Unary::sigmoid, Unary::gelu, Unary::gelu_tanh, Unary::quick_gelu}) {
      std::array<float, 16> y{};
      simd::vector_probe(level).unary(f, x.data(), y.data());
      EXPECT_GT(std::bit_cast<std::uint32_t>(y[0]) & 0x7fffffffU, 0x7f800000U) << static_cast<int>(f);
    }
  });
}

TEST(ActivationFunctions, GeluIsAccurateToTheTail) {
  test::for_each_level([](simd::Level level) {
    const auto f = [](double x) { return x * normal_distribution(x); };
    EXPECT_LE(largest_error(sample(level, Unary::gelu, -20, 20), 1, f), 1.3e-7);
    EXPECT_LE(largest_error(sample(level, Unary::gelu, -2, 0), 1, f), 1e-7);
    // Relative to the value itself, where the definition in float has lost every digit.
    EXPECT_LE(largest_error(sample(level, Unary::gelu, -6, -0.01), 0, f), 2.5e-6);
  });
}

TEST(ActivationFunctions, TanhAndQuickGeluAreAccurate) {
  test::for_each_level([](simd::Level level) {
    const auto tanh_form = [](double x) {
      return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    };
    const auto quick = [](double x) { return x / (1 + std::exp(-1.702 * x)); };
    EXPECT_LE(largest_error(sample(level, Unary::gelu_tanh, -20, 20), 1, tanh_form), 1.8e-7);
    EXPECT_LE(largest_error(sample(level, Unary::quick_gelu, -60, 60), 1, quick), 1.8e-7);
    const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
    EXPECT_LE(largest_error(sample(level, Unary::sigmoid, -80, 80), 0, logistic), 2.5e-7);
  });
}

TEST(ActivationFunctions, LargeArgumentsGiveTheAsymptotes) {
  test::for_each_level([](simd::Level level) {
    for (const Unary f : {Unary::gelu, Unary::gelu_tanh, Unary::quick_gelu}) {
      const Curve right = sample(level, f, 100, 1e4, 100);
      for (std::size_t i = 0; i < right.x.size(); ++i) EXPECT_EQ(right.y[i], right.x[i]);
      const Curve left = sample(level, f, -1e4, -100, 100);
      for (const float y : left.y) EXPECT_LE(std::abs(y), 1e-30F);
    }
  });
}

}  // namespace
}  // namespace couplet
