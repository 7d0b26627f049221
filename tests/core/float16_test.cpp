#include "couplet/core/float16.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;

// tests/checkpoint/dtype_test.cpp proves every number and every rounding.
TEST(Float16, KnownNumbers) {
  EXPECT_EQ(float_from_float16(0x3c00), 1.0F);
  EXPECT_EQ(float_from_float16(0xc500), -5.0F);
  EXPECT_EQ(float16_from_float(65504.0F), 0x7bff);
  EXPECT_EQ(float_from_bfloat16(0x3f80), 1.0F);
  EXPECT_EQ(bfloat16_from_float(-5.0F), 0xc0a0);
}

}  // namespace
