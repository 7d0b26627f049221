// The finite checks in a program built with -ffast-math. g++ takes the option from the pragma for this file alone;
// clang++ has no such pragma and repeats the ordinary test.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2,fast-math")
#endif
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "couplet/optim/finite.hpp"

namespace couplet::optim {
namespace {

/// Made from bits: the compiler may not know that it is no number.
float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

TEST(FiniteUnderFastMath, StillFindsInfinitiesAndNaN) {
  std::vector<float> values(100, 1.0F);
  EXPECT_EQ(count_non_finite(values.data(), 100), 0);
  values[40] = from_bits(0x7f800000U);
  values[50] = from_bits(0xff800000U);
  values[60] = from_bits(0x7fc00000U);
  EXPECT_EQ(count_non_finite(values.data(), 100), 3);
  EXPECT_EQ(first_non_finite(values.data(), 100), 40);
}

}  // namespace
}  // namespace couplet::optim
