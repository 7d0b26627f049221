#include "couplet/simd/gemm_bf16.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "couplet/core/aligned_buffer.hpp"
#include "couplet/core/random.hpp"
#include "support/bf16_levels.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using simd::Bf16GemmKernels;
using simd::Bf16Product;
using simd::Level;

/// f(kernels) for the levels that have such kernels.
template <class F>
void for_each_gemm_kernel(F&& f) {
  test::for_each_bf16_level([&](simd::Level level) { f(*simd::bf16_gemm_kernels(level)); });
}

float rounded_to_bf16(float x) { return static_cast<float>(bfloat16(x)); }

/// (rows, columns), row-major, normal numbers.
std::vector<float> random_matrix(Index rows, Index columns, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  Random random(seed);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

std::vector<float> transposed(const std::vector<float>& x, Index rows, Index columns) {
  std::vector<float> y(x.size());
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      y[static_cast<std::size_t>(j * rows + i)] = x[static_cast<std::size_t>(i * columns + j)];
    }
  }
  return y;
}

/// NaN in every element: what packing does not write shows.
void spoil(AlignedBuffer<bfloat16>& buffer) {
  for (Index i = 0; i < buffer.size(); ++i) buffer.data()[i].bits = 0xffff;
}

/// A product with packed operands and guarded outputs.
struct Bf16Case {
  Index m, n, k;
  std::vector<float> a, b;  // (m, k), (k, n)
  AlignedBuffer<bfloat16> packed_a, packed_b;

  Bf16Case(const Bf16GemmKernels& kernels, Index m_, Index n_, Index k_, bool a_transposed = false,
           bool b_transposed = false)
      : m(m_), n(n_), k(k_), a(random_matrix(m, k, 1)), b(random_matrix(k, n, 2)) {
    packed_a.resize(simd::bf16::packed_a_size(m, k));
    packed_b.resize(simd::bf16::packed_b_size(k, n));
    spoil(packed_a);
    spoil(packed_b);
    const std::vector<float> at = transposed(a, m, k), bt = transposed(b, k, n);
    kernels.pack_a(a_transposed ? at.data() : a.data(), a_transposed ? 1 : k, a_transposed ? m : 1, m, k,
                   packed_a.data());
    kernels.pack_b(b_transposed ? bt.data() : b.data(), b_transposed ? 1 : n, b_transposed ? k : 1, k, n,
                   packed_b.data());
  }

  void run(const Bf16GemmKernels& kernels, const simd::Bf16Epilogue& epilogue) const {
    const Bf16Product product{.m = m, .n = n, .k = k, .a = packed_a.data(), .b = packed_b.data(), .epilogue = epilogue};
    AlignedBuffer<float> scratch(kernels.scratch_size(m, k));
    kernels.multiply(product, scratch.data());
  }

  /// Sum of the products of rounded elements in double, and of their magnitudes.
  [[nodiscard]] double exact(Index i, Index j, double* magnitude = nullptr) const {
    double sum = 0, size = 0;
    for (Index p = 0; p < k; ++p) {
      const double x = double{rounded_to_bf16(a[static_cast<std::size_t>(i * k + p)])} *
                       double{rounded_to_bf16(b[static_cast<std::size_t>(p * n + j)])};
      sum += x;
      size += std::abs(x);
    }
    if (magnitude != nullptr) *magnitude = size;
    return sum;
  }
};

TEST(Bf16Gemm, EqualsTheProductOfRoundedElementsInAllLayouts) {
  for_each_gemm_kernel([](const Bf16GemmKernels& kernels) {
    for (const auto& [m, n, k] : {std::array<Index, 3>{1, 1, 1},
                                  {3, 5, 2},
                                  {16, 32, 32},
                                  {17, 33, 31},
                                  {50, 64, 96},
                                  {8, 16, 300},
                                  {33, 47, 257},
                                  {1, 100, 64},
                                  {70, 1, 65},
                                  {40, 40, 0}}) {
      for (const int layout : {0, 1, 2, 3}) {
        const Bf16Case c(kernels, m, n, k, (layout & 1) != 0, (layout & 2) != 0);
        std::vector<float> y(static_cast<std::size_t>(m * n), std::numeric_limits<float>::quiet_NaN());
        c.run(kernels, {.y = y.data(), .y_stride = n});
        for (Index i = 0; i < m; ++i) {
          for (Index j = 0; j < n; ++j) {
            double magnitude = 0;
            const double exact = c.exact(i, j, &magnitude);
            // float32 sums: each of k additions rounds by at most 2^-24 of the sum so far.
            const double tolerance = 6e-8 * (2 + std::sqrt(static_cast<double>(k))) * magnitude + 1e-30;
            ASSERT_NEAR(y[static_cast<std::size_t>(i * n + j)], exact, tolerance)
                << m << " x " << n << " x " << k << ", layout " << layout << ", element " << i << ", " << j;
          }
        }
      }
    }
  });
}

TEST(Bf16Gemm, ARowHasTheSameBitsWhateverIsBesideIt) {
  for_each_gemm_kernel([](const Bf16GemmKernels& kernels) {
    const Index n = 96, k = 800;  // more than one block of depth
    const Bf16Case many(kernels, 45, n, k);
    std::vector<float> all(static_cast<std::size_t>(45 * n));
    many.run(kernels, {.y = all.data(), .y_stride = n});
    for (const Index i : {0, 7, 8, 15, 16, 31, 32, 44}) {
      AlignedBuffer<bfloat16> row(simd::bf16::packed_a_size(1, k));
      spoil(row);
      kernels.pack_a(many.a.data() + i * k, k, 1, 1, k, row.data());
      for (const Index first : {0, 32}) {
        const Index columns = n - first;
        std::vector<float> one(static_cast<std::size_t>(columns));
        const Bf16Product product{.m = 1,
                                  .n = columns,
                                  .k = k,
                                  .a = row.data(),
                                  .b = many.packed_b.data() + first * simd::bf16::padded_depth(k),
                                  .epilogue = {.y = one.data(), .y_stride = columns}};
        AlignedBuffer<float> scratch(kernels.scratch_size(1, k));
        kernels.multiply(product, scratch.data());
        ASSERT_EQ(std::memcmp(one.data(), all.data() + i * n + first, one.size() * sizeof(float)), 0) << "row " << i;
      }
    }
  });
}

TEST(Bf16Gemm, TheEpilogueWritesEveryDestination) {
  for_each_gemm_kernel([](const Bf16GemmKernels& kernels) {
    const Index m = 37, n = 51, k = 64;
    const Bf16Case c(kernels, m, n, k);
    const std::vector<float> bias = random_matrix(1, n, 3);
    const auto quick_gelu = [](double x) { return x / (1 + std::exp(-1.702 * x)); };
    std::vector<float> z(static_cast<std::size_t>(m * n)), y(z.size(), 1.0F);
    AlignedBuffer<bfloat16> operand(simd::bf16::packed_a_size(m, n)), expected(operand.size());
    c.run(kernels, {.bias = bias.data(),
                    .activation = Activation::quick_gelu,
                    .preactivation = z.data(),
                    .preactivation_stride = n,
                    .y = y.data(),
                    .y_stride = n,
                    .accumulate = true,
                    .operand = operand.data(),
                    .operand_depth = n});
    std::vector<float> values(z.size());
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        const auto at = static_cast<std::size_t>(i * n + j);
        const double exact = c.exact(i, j) + double{bias[static_cast<std::size_t>(j)]};
        ASSERT_NEAR(z[at], exact, 1e-4);
        ASSERT_NEAR(y[at], 1 + quick_gelu(exact), 1e-4);
        values[at] = y[at] - 1.0F;
      }
    }
    kernels.pack_a(values.data(), n, 1, m, n, expected.data());
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        const Index at = simd::bf16::a_offset(i, j, n);
        ASSERT_NEAR(static_cast<float>(operand.data()[at]), static_cast<float>(expected.data()[at]), 0.05);
      }
      // The next product reads zeros beyond its inner extent.
      for (Index j = n; j < simd::bf16::padded_depth(n); ++j) {
        ASSERT_EQ(static_cast<float>(operand.data()[simd::bf16::a_offset(i, j, n)]), 0.0F);
      }
    }
  });
}

TEST(Bf16Gemm, PackRowIsARowOfPackA) {
  for_each_gemm_kernel([](const Bf16GemmKernels& kernels) {
    for (const Index k : {1, 31, 32, 100, 768}) {
      const std::vector<float> x = random_matrix(20, k, 5);
      AlignedBuffer<bfloat16> whole(simd::bf16::packed_a_size(20, k)), rows(whole.size());
      kernels.pack_a(x.data(), k, 1, 20, k, whole.data());
      for (Index i = 0; i < 20; ++i) {
        kernels.pack_row(x.data() + i * k, k, rows.data() + simd::bf16::a_offset(i, 0, k));
        for (Index p = 0; p < simd::bf16::padded_depth(k); ++p) {
          const Index at = simd::bf16::a_offset(i, p, k);
          ASSERT_EQ(rows.data()[at].bits, whole.data()[at].bits);
          const float expected = p < k ? rounded_to_bf16(x[static_cast<std::size_t>(i * k + p)]) : 0.0F;
          ASSERT_EQ(static_cast<float>(whole.data()[at]), expected);
        }
      }
    }
  });
}

TEST(Bf16Gemm, LevelsWithoutItHaveNoKernels) {
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512}) {
    EXPECT_EQ(simd::bf16_gemm_kernels(level), nullptr);
  }
}

}  // namespace
}  // namespace couplet
