#include "couplet/ops/matmul.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet {
namespace {

using ops::Factor;

template <class T>
Factor<T> factor(const Tensor<T, 2>& stored, bool transposed) {
  return {stored.view(), transposed};
}

/// (rows, columns), stored as its transpose if asked for.
template <class T>
Tensor<T, 2> stored(Index rows, Index columns, bool transposed, std::uint64_t seed) {
  return transposed ? test::random_matrix<T>(columns, rows, seed) : test::random_matrix<T>(rows, columns, seed);
}

TEST(Matmul, FloatEqualsDoubleInEveryTransposition) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        for (const bool accumulate : {false, true}) {
          const auto a = stored<float>(37, 301, a_transposed, 1);
          const auto b = stored<float>(301, 45, b_transposed, 2);
          const auto a_double = stored<double>(37, 301, a_transposed, 1);
          const auto b_double = stored<double>(301, 45, b_transposed, 2);
          auto c = test::random_matrix<float>(37, 45, 3);
          auto c_double = test::random_matrix<double>(37, 45, 3);
          ops::multiply<float>(factor(a, a_transposed), factor(b, b_transposed), c, accumulate, workspace);
          ops::multiply<double>(factor(a_double, a_transposed), factor(b_double, b_transposed), c_double, accumulate,
                                workspace);
          EXPECT_TRUE(test::near_relative_to_max(c, c_double, 1e-6));
        }
      }
    }
  });
}

TEST(Matmul, RowsTimesRowsAreAllDotProducts) {
  Workspace workspace;
  const auto a = test::random_matrix<double>(3, 5, 1);
  const auto b = test::random_matrix<double>(4, 5, 2);
  Tensor<double, 2> c({3, 4});
  ops::matmul<double>(a, b, c, workspace);
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 4; ++j) {
      double expected = 0;
      for (Index p = 0; p < 5; ++p) expected += a(i, p) * b(j, p);
      EXPECT_DOUBLE_EQ(c(i, j), expected);
    }
  }
}

TEST(Matmul, BitsDoNotDependOnThreadsOrRows) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    for (const Index rows : {1, 3, 50, 700, 1200}) {
      const auto a = test::random_matrix<float>(rows, 300, 1);
      const auto b = test::random_matrix<float>(130, 300, 2);
      Tensor<float, 2> one({rows, 130});
      Tensor<float, 2> many({rows, 130});
      {
        const ThreadLimit limit(1);
        ops::matmul<float>(a, b, one, workspace);
      }
      ops::matmul<float>(a, b, many, workspace);
      EXPECT_TRUE(test::same_bits(one, many)) << rows << " rows";
      Tensor<float, 2> alone({1, 130});
      for (const Index row : {Index{0}, rows / 2, rows - 1}) {
        ops::matmul<float>(a.view().slice(row, row + 1), b, alone, workspace);
        EXPECT_EQ(std::memcmp(alone.data(), &one(row, 0), 130 * sizeof(float)), 0) << "row " << row;
      }
    }
  });
}

TEST(Matmul, EmptyMatricesAreFine) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    const Tensor<float, 2> no_rows({0, 5});
    const auto b = test::random_matrix<float>(4, 5, 1);
    Tensor<float, 2> c({0, 4});
    ops::matmul<float>(no_rows, b, c, workspace);
    const Tensor<float, 2> a_empty({3, 0});
    const Tensor<float, 2> b_empty({4, 0});
    Tensor<float, 2> sums({3, 4});
    sums.fill(7);
    ops::multiply<float>({a_empty}, {b_empty, true}, sums, true, workspace);
    for (Index i = 0; i < sums.size(); ++i) EXPECT_EQ(sums.data()[i], 7.0F);
    ops::matmul<float>(a_empty, b_empty, sums, workspace);
    for (Index i = 0; i < sums.size(); ++i) EXPECT_EQ(sums.data()[i], 0.0F);
  });
}

TEST(Matmul, WrongShapesAreNamed) {
  Workspace workspace;
  const Tensor<float, 2> a({3, 5});
  const Tensor<float, 2> b({4, 6});
  Tensor<float, 2> c({3, 4});
  try {
    ops::matmul<float>(a, b, c, workspace);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[matmul] shapes do not fit: a (3, 5), b (6, 4), c (3, 4)");
  }
}

}  // namespace
}  // namespace couplet
