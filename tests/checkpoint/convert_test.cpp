#include "couplet/checkpoint/convert.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace couplet::checkpoint {
namespace {

template <class T, class Source>
std::vector<T> decoded(DType dtype, const std::vector<Source>& source) {
  std::vector<T> out(source.size());
  EXPECT_EQ(decode(dtype, source.data(), source.size(), out.data()), source.size());
  return out;
}

template <class Target, class T>
std::vector<Target> encoded(DType dtype, const std::vector<T>& source) {
  std::vector<Target> out(source.size());
  EXPECT_EQ(encode(dtype, source.data(), source.size(), out.data()), source.size());
  return out;
}

TEST(Decode, TurnsFloatingElementsIntoFloatAndDouble) {
  const std::vector<std::uint16_t> f16 = {0x3c00, 0xc000, 0x0001}, bf16 = {0x3f80, 0xc000, 0x3dcd};
  EXPECT_EQ(decoded<float>(DType::f16, f16), (std::vector<float>{1.0F, -2.0F, 0x1p-24F}));
  EXPECT_EQ(decoded<double>(DType::f16, f16), (std::vector<double>{1.0, -2.0, 0x1p-24}));
  EXPECT_EQ(decoded<float>(DType::bf16, bf16), (std::vector<float>{1.0F, -2.0F, 0.10009765625F}));
  EXPECT_EQ(decoded<double>(DType::bf16, bf16), (std::vector<double>{1.0, -2.0, 0.10009765625}));
  EXPECT_EQ(decoded<double>(DType::f32, std::vector<float>{0.1F}), (std::vector<double>{double{0.1F}}));
  EXPECT_EQ(decoded<float>(DType::f32, std::vector<float>{0.1F}), (std::vector<float>{0.1F}));
  EXPECT_EQ(decoded<float>(DType::f64, std::vector<double>{0.1}), (std::vector<float>{0.1F}));  // rounded
  EXPECT_EQ(decoded<double>(DType::f64, std::vector<double>{0.1}), (std::vector<double>{0.1}));
}

TEST(Decode, TurnsIntegersIntoSixtyFourBits) {
  using Out = std::vector<std::int64_t>;
  EXPECT_EQ(decoded<std::int64_t>(DType::boolean, std::vector<std::uint8_t>{0, 1, 2, 255}), (Out{0, 1, 1, 1}));
  EXPECT_EQ(decoded<std::int64_t>(DType::u8, std::vector<std::uint8_t>{0, 255}), (Out{0, 255}));
  EXPECT_EQ(decoded<std::int64_t>(DType::i8, std::vector<std::int8_t>{-128, 127}), (Out{-128, 127}));
  EXPECT_EQ(decoded<std::int64_t>(DType::u16, std::vector<std::uint16_t>{65535}), (Out{65535}));
  EXPECT_EQ(decoded<std::int64_t>(DType::i16, std::vector<std::int16_t>{-32768}), (Out{-32768}));
  EXPECT_EQ(decoded<std::int64_t>(DType::u32, std::vector<std::uint32_t>{4294967295U}), (Out{4294967295}));
  EXPECT_EQ(decoded<std::int64_t>(DType::i32, std::vector<std::int32_t>{-2147483647 - 1}), (Out{-2147483648}));
  EXPECT_EQ(decoded<std::int64_t>(DType::i64, std::vector<std::int64_t>{-5}), (Out{-5}));
  EXPECT_EQ(decoded<std::int64_t>(DType::u64, std::vector<std::uint64_t>{9223372036854775807U}),
            (Out{9223372036854775807}));
}

TEST(Decode, SaysWhichElementDoesNotFit) {
  const std::vector<std::uint64_t> source = {1, 2, std::uint64_t{1} << 63, ~std::uint64_t{0}};
  std::vector<std::int64_t> out(4);
  EXPECT_EQ(decode(DType::u64, source.data(), 4, out.data()), 2U);
}

TEST(Decode, ReadsUnalignedElements) {
  std::array<unsigned char, 17> bytes{};
  const double value = 1.5;
  std::memcpy(bytes.data() + 1, &value, sizeof value);
  float out = 0;
  EXPECT_EQ(decode(DType::f64, bytes.data() + 1, 1, &out), 1U);
  EXPECT_EQ(out, 1.5F);
}

TEST(Encode, TurnsValuesIntoElements) {
  const std::vector<float> values = {1.0F, -2.0F, 0.1F};
  EXPECT_EQ(encoded<std::uint16_t>(DType::f16, values), (std::vector<std::uint16_t>{0x3c00, 0xc000, 0x2e66}));
  EXPECT_EQ(encoded<std::uint16_t>(DType::bf16, values), (std::vector<std::uint16_t>{0x3f80, 0xc000, 0x3dcd}));
  EXPECT_EQ(encoded<float>(DType::f32, values), values);
  EXPECT_EQ(encoded<double>(DType::f64, values), (std::vector<double>{1.0, -2.0, double{0.1F}}));
  EXPECT_EQ(encoded<float>(DType::f32, std::vector<double>{0.1}), (std::vector<float>{0.1F}));
  EXPECT_EQ(encoded<std::int32_t>(DType::i32, std::vector<std::int64_t>{-7}), (std::vector<std::int32_t>{-7}));
  EXPECT_EQ(encoded<std::int64_t>(DType::i64, std::vector<std::int64_t>{-7}), (std::vector<std::int64_t>{-7}));
}

TEST(Encode, SaysWhichValueDoesNotFit) {
  std::array<double, 4> out{};
  const std::array<float, 3> floats = {1.0F, 65520.0F, 3.38e38F};
  EXPECT_EQ(encode(DType::f16, floats.data(), 3, out.data()), 1U);
  EXPECT_EQ(encode(DType::bf16, floats.data(), 3, out.data()), 3U);
  const float most = std::numeric_limits<float>::max();  // rounds up to infinity in bfloat16
  EXPECT_EQ(encode(DType::bf16, &most, 1, out.data()), 0U);
  const std::array<double, 2> doubles = {1e38, 1e39};
  EXPECT_EQ(encode(DType::f32, doubles.data(), 2, out.data()), 1U);
  const std::array<std::int64_t, 3> integers = {2147483647, -2147483648, 2147483648};
  EXPECT_EQ(encode(DType::i32, integers.data(), 3, out.data()), 2U);
}

TEST(Encode, KeepsInfinitiesAndNans) {
  const std::vector<float> values = {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(encoded<std::uint16_t>(DType::f16, values), (std::vector<std::uint16_t>{0x7c00, 0x7e00}));
  EXPECT_EQ(encoded<std::uint16_t>(DType::bf16, values), (std::vector<std::uint16_t>{0x7f80, 0x7fc0}));
}

TEST(Convert, TellsWhichPairsItKnows) {
  EXPECT_TRUE(can_decode<float>(DType::bf16));
  EXPECT_FALSE(can_decode<float>(DType::i64));
  EXPECT_FALSE(can_decode<double>(DType::c64));
  EXPECT_FALSE(can_decode<float>(DType::f8_e4m3));
  EXPECT_TRUE(can_decode<std::int64_t>(DType::boolean));
  EXPECT_FALSE(can_decode<std::int64_t>(DType::f32));
  EXPECT_TRUE(can_encode<float>(DType::f16));
  EXPECT_FALSE(can_encode<double>(DType::f16));  // it would be rounded twice
  EXPECT_FALSE(can_encode<float>(DType::i64));
  EXPECT_TRUE(can_encode<std::int64_t>(DType::i32));
  EXPECT_FALSE(can_encode<std::int64_t>(DType::f64));
}

}  // namespace
}  // namespace couplet::checkpoint
