#include "couplet/ops/half_matrix.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace {

using namespace couplet;

/// All finite numbers of a type, and one more at the end.
template <class FromBits>
std::vector<float> all_numbers(const FromBits& from_bits, float last) {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const float value = from_bits(static_cast<std::uint16_t>(bits));
    if ((std::bit_cast<std::uint32_t>(value) & 0x7f800000U) != 0x7f800000U) values.push_back(value);
  }
  values.back() = last;
  return values;
}

bool assign(ops::HalfMatrix& matrix, const std::vector<float>& values) {
  return matrix.assign(std::ssize(values) / 2, 2, [&](Index first, Index count) {
    EXPECT_LE(first + count, std::ssize(values));
    return values.data() + first;
  });
}

void expect_kept(const std::vector<float>& values) {
  ops::HalfMatrix matrix;
  ASSERT_TRUE(assign(matrix, values));
  ASSERT_EQ(matrix.rows(), std::ssize(values) / 2);
  std::vector<float> row(2);
  for (std::size_t r = 0; r < values.size() / 2; ++r) {
    matrix.copy_row(static_cast<Index>(r), row.data());
    for (std::size_t c = 0; c < 2; ++c) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(row[c]), std::bit_cast<std::uint32_t>(values[2 * r + c])) << r;
    }
  }
}

TEST(HalfMatrix, KeepsAllNumbersOfEitherType) {
  expect_kept(all_numbers(float_from_bfloat16, -0.0F));
  expect_kept(all_numbers(float_from_float16, 1.0F));
}

TEST(HalfMatrix, KeepsNothingThatLosesSomething) {
  ops::HalfMatrix matrix;
  EXPECT_FALSE(assign(matrix, all_numbers(float_from_bfloat16, 0.1F)));
  EXPECT_TRUE(matrix.empty());
  EXPECT_FALSE(assign(matrix, all_numbers(float_from_float16, 1e30F)));
  EXPECT_FALSE(assign(matrix, all_numbers(float_from_float16, std::bit_cast<float>(0x3f800001U))));
  EXPECT_EQ(matrix.rows(), 0);
  EXPECT_TRUE(assign(matrix, {1, 2, 3, 4}));
  EXPECT_EQ(matrix.columns(), 2);
  matrix.release();
  EXPECT_TRUE(matrix.empty());
}

}  // namespace
