#include "couplet/image/exact.hpp"

#include <gtest/gtest.h>

#include <random>

namespace couplet::image {
namespace {

TEST(Exact, RoundsEveryOperation) {
  const double third = 1.0 / 3.0;  // 3 * third rounds to 1; one fused operation would leave -2^-54
  EXPECT_EQ(exact::sub(exact::mul(3.0, third), 1.0), 0.0);
  EXPECT_EQ(exact::add(exact::add(1e16, 1.0), -1e16), 0.0);  // no reassociation
  EXPECT_EQ(exact::div(49.0, 49.0), 1.0);                    // 49 * (1 / 49) is not 1
}

TEST(Exact, FloatOperationsThroughDoubleAreTheFloatOperations) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> values(-300.0f, 300.0f);
  for (int i = 0; i < 20000; ++i) {
    const volatile float a = values(random), b = values(random);
    EXPECT_EQ(exact::sub_float(a, b), a - b);
    EXPECT_EQ(exact::mul_float(a, b), a * b);
    EXPECT_EQ(exact::div_float(a, b), a / b);
  }
}

TEST(Exact, RoundsHalvesToEven) {
  EXPECT_EQ(exact::round_half_even(0.5), 0);
  EXPECT_EQ(exact::round_half_even(1.5), 2);
  EXPECT_EQ(exact::round_half_even(2.5), 2);
  EXPECT_EQ(exact::round_half_even(-0.5), 0);
  EXPECT_EQ(exact::round_half_even(-1.5), -2);
  EXPECT_EQ(exact::round_half_even(7.4999), 7);
  EXPECT_EQ(exact::round_half_even(7.5001), 8);
}

}  // namespace
}  // namespace couplet::image
