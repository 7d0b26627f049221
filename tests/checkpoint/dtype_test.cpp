#include "couplet/checkpoint/dtype.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace couplet::checkpoint {
namespace {

/// The value of a finite or infinite float16 by its definition.
double float16_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 0x1f) return sign * std::numeric_limits<double>::infinity();
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

TEST(DType, KnowsEveryNameAndSize) {
  const struct {
    DType dtype;
    const char* name;
    std::size_t bytes;
  } types[] = {{DType::boolean, "BOOL", 1},
               {DType::u8, "U8", 1},
               {DType::i8, "I8", 1},
               {DType::f8_e5m2, "F8_E5M2", 1},
               {DType::f8_e4m3, "F8_E4M3", 1},
               {DType::f8_e8m0, "F8_E8M0", 1},
               {DType::f8_e4m3fnuz, "F8_E4M3FNUZ", 1},
               {DType::f8_e5m2fnuz, "F8_E5M2FNUZ", 1},
               {DType::i16, "I16", 2},
               {DType::u16, "U16", 2},
               {DType::f16, "F16", 2},
               {DType::bf16, "BF16", 2},
               {DType::i32, "I32", 4},
               {DType::u32, "U32", 4},
               {DType::f32, "F32", 4},
               {DType::c64, "C64", 8},
               {DType::f64, "F64", 8},
               {DType::i64, "I64", 8},
               {DType::u64, "U64", 8}};
  for (const auto& type : types) {
    EXPECT_EQ(dtype_name(type.dtype), type.name);
    EXPECT_EQ(dtype_bytes(type.dtype), type.bytes) << type.name;
    EXPECT_EQ(find_dtype(type.name), type.dtype);
  }
  for (const char* unknown : {"", "f32", "F32 ", "FLOAT", "F4", "F6_E2M3", "F320"}) {
    EXPECT_FALSE(find_dtype(unknown)) << unknown;
  }
}

TEST(DType, IsFloatingOrIntegerOrNeither) {
  int floating = 0, integers = 0;
  for (std::size_t i = 0; i < detail::dtype_traits.size(); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_FALSE(is_floating(dtype) && is_integer(dtype));
    floating += is_floating(dtype);
    integers += is_integer(dtype);
  }
  EXPECT_EQ(floating, 4);
  EXPECT_EQ(integers, 9);
}

TEST(Float16, IsExactInFloatForAllValues) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = float_from_float16(bits);
    if ((bits & 0x7fff) > 0x7c00) {
      ASSERT_GT(std::bit_cast<std::uint32_t>(value) & 0x7fffffffU, 0x7f800000U) << i;  // NaN
    } else {
      ASSERT_EQ(static_cast<double>(value), float16_value(bits)) << i;
    }
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value) >> 31, static_cast<std::uint32_t>(bits >> 15)) << i;
    const std::uint16_t quiet = (bits & 0x7fff) > 0x7c00 ? 0x200 : 0;
    ASSERT_EQ(float16_from_float(value), bits | quiet) << i;
  }
}

TEST(Float16, RoundsToTheNearestAndTiesToEven) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (std::uint16_t low = 0; low < 0x7bff; ++low) {  // every pair of neighbours
    const auto high = static_cast<std::uint16_t>(low + 1);
    const auto middle = static_cast<float>((float16_value(low) + float16_value(high)) / 2);  // exact
    const std::uint16_t even = (low & 1) == 0 ? low : high;
    ASSERT_EQ(float16_from_float(middle), even) << low;
    ASSERT_EQ(float16_from_float(-middle), even | 0x8000) << low;
    ASSERT_EQ(float16_from_float(std::nextafter(middle, 0.0F)), low) << low;
    ASSERT_EQ(float16_from_float(std::nextafter(middle, infinity)), high) << low;
  }
}

TEST(Float16, OverflowsAndUnderflowsWhereItShould) {
  EXPECT_EQ(float16_from_float(65504.0F), 0x7bff);
  EXPECT_EQ(float16_from_float(std::nextafter(65520.0F, 0.0F)), 0x7bff);
  EXPECT_EQ(float16_from_float(65520.0F), 0x7c00);
  EXPECT_EQ(float16_from_float(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(float16_from_float(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_EQ(float16_from_float(std::ldexp(1.0F, -25)), 0x0000);
  EXPECT_EQ(float16_from_float(std::nextafter(std::ldexp(1.0F, -25), 1.0F)), 0x0001);
  EXPECT_EQ(float16_from_float(std::numeric_limits<float>::denorm_min()), 0x0000);
  EXPECT_EQ(float16_from_float(-0.0F), 0x8000);
  EXPECT_EQ(float16_from_float(std::bit_cast<float>(0x7f800001U)), 0x7e00);  // a signalling NaN stays a NaN
  EXPECT_EQ(float16_from_float(std::bit_cast<float>(0xffffe000U)), 0xffff);
}

TEST(BFloat16, IsTheUpperHalfOfFloat) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = float_from_bfloat16(bits);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), i << 16);
    const std::uint16_t quiet = (bits & 0x7fff) > 0x7f80 ? 0x40 : 0;
    ASSERT_EQ(bfloat16_from_float(value), bits | quiet) << i;
  }
}

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t low = 0; low < 0x7f80; ++low) {  // up to the pair of the largest value and infinity
    const std::uint32_t middle = low << 16 | 0x8000U;
    ASSERT_EQ(bfloat16_from_float(std::bit_cast<float>(middle)), low + (low & 1U)) << low;
    ASSERT_EQ(bfloat16_from_float(std::bit_cast<float>(middle - 1)), low) << low;
    ASSERT_EQ(bfloat16_from_float(std::bit_cast<float>(middle + 1)), low + 1) << low;
    ASSERT_EQ(bfloat16_from_float(std::bit_cast<float>((middle + 1) | 0x80000000U)), low + 1 + 0x8000) << low;
  }
}

TEST(BFloat16, KeepsANanWhosePayloadIsInTheLowerHalf) {
  EXPECT_EQ(bfloat16_from_float(std::bit_cast<float>(0x7f800001U)), 0x7fc0);
  EXPECT_EQ(bfloat16_from_float(std::bit_cast<float>(0xffffffffU)), 0xffff);
}

}  // namespace
}  // namespace couplet::checkpoint
