#include "couplet/simd/reduce.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet {
namespace {

using test::GuardedMatrix;
using test::random_matrix;
using test::random_vector;

TEST(Reduce, SumsColumnsOfEveryWidth) {
  test::for_each_level([](simd::Level) {
    for (Index columns = 1; columns <= 67; ++columns) {
      const GuardedMatrix<float> x(5, columns, random_matrix<float>(5, columns, 1));
      GuardedMatrix<float> sums(1, columns);
      Tensor<double, 2> expected({1, columns});
      for (Index c = 0; c < columns; ++c) {
        sums.view()(0, c) = 2.0F;
        expected(0, c) = 2.0;
        for (Index r = 0; r < 5; ++r) expected(0, c) += x.view()(r, c);
      }
      simd::reduce_kernels().column_sums(x.view().data(), x.view().stride(0), 5, columns, sums.view().data());
      ASSERT_TRUE(test::near_relative_to_max(sums.values(), expected, 3e-7));
      ASSERT_TRUE(sums.intact());
    }
  });
}

TEST(Reduce, SumsIntegersExactly) {
  test::for_each_level([](simd::Level) {
    const Index rows = 1000;
    Tensor<float, 2> x({rows, 70});
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 101 - 50);
    Tensor<float, 1> sums({70});
    simd::reduce_kernels().column_sums(x.data(), 70, rows, 70, sums.data());
    for (Index c = 0; c < 70; ++c) {
      float expected = 0;
      for (Index r = 0; r < rows; ++r) expected += x(r, c);
      EXPECT_EQ(sums[c], expected);
    }
  });
}

TEST(Reduce, HasTheSameBitsForAnySplitOfTheColumns) {
  test::for_each_level([](simd::Level) {
    const auto x = random_matrix<float>(600, 90, 1);
    Tensor<float, 1> whole({90});
    Tensor<float, 1> parts({90});
    simd::reduce_kernels().column_sums(x.data(), 90, 600, 90, whole.data());
    for (const auto& [begin, end] : {std::pair<Index, Index>{0, 7}, {7, 64}, {64, 90}}) {
      simd::reduce_kernels().column_sums(x.data() + begin, 90, 600, end - begin, parts.data() + begin);
    }
    EXPECT_TRUE(test::same_bits(parts, whole));
  });
}

TEST(Reduce, KeepsLongSumsAccurate) {
  // 100,000 rows of about 1: added one by one in float the error would be about 1e-4.
  test::for_each_level([](simd::Level) {
    const Index rows = 100000;
    const auto x = random_matrix<float>(rows, 4, 1, 0.1, 1.0);
    Tensor<double, 1> expected({4});
    for (Index i = 0; i < x.size(); ++i) expected[i % 4] += x.data()[i];
    Tensor<float, 1> sums({4});
    simd::reduce_kernels().column_sums(x.data(), 4, rows, 4, sums.data());
    EXPECT_TRUE(test::near_relative_to_max(sums, expected, 2e-6));
  });
}

TEST(Reduce, MultipliesVectorsInDouble) {
  test::for_each_level([](simd::Level) {
    for (Index n = 0; n <= 67; ++n) {
      const auto x = random_vector<float>(n, 1, 1e15);
      const auto y = random_vector<float>(n, 2, 1e15);
      long double expected = 0;
      long double magnitude = 0;
      for (Index i = 0; i < n; ++i) {
        expected += static_cast<long double>(x[i]) * y[i];
        magnitude += std::abs(static_cast<long double>(x[i]) * y[i]);
      }
      const double actual = simd::reduce_kernels().dot(x.data(), y.data(), n);
      EXPECT_NEAR(actual, static_cast<double>(expected), static_cast<double>(magnitude) * 1e-15);
    }
  });
}

TEST(Reduce, AddsNothingOutsideOfTheVector) {
  test::for_each_level([](simd::Level) {
    for (Index n = 1; n <= 67; ++n) {
      GuardedMatrix<float> y(1, n);
      const auto x = random_vector<float>(n, 1);
      simd::reduce_kernels().add(x.data(), n, y.view().data());
      ASSERT_TRUE(test::same_bits(y.values(), x));
      ASSERT_TRUE(y.intact());
    }
  });
}

TEST(Reduce, SubtractsAndDivides) {
  test::for_each_level([](simd::Level) {
    for (Index n = 1; n <= 67; ++n) {
      GuardedMatrix<float> out(1, n);
      const auto x = random_vector<float>(n, 1);
      const auto y = random_vector<float>(n, 2);
      simd::reduce_kernels().subtract_and_divide(x.data(), 0.75F, y.data(), 3.0F, n, out.view().data());
      Tensor<double, 1> expected({n});
      for (Index i = 0; i < n; ++i) expected[i] = (static_cast<double>(x[i]) - 0.75 * static_cast<double>(y[i])) / 3;
      ASSERT_TRUE(test::near_relative_to_max(out.values(), expected, 2e-7));
      ASSERT_TRUE(out.intact());
    }
  });
}

}  // namespace
}  // namespace couplet
