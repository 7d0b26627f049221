#include "couplet/simd/gemm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "couplet/core/random.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using simd::GemmKernels;
using simd::GemmProduct;

/// How a matrix lies in memory.
enum class Layout { row_major, transposed, strided };

/// A (rows, columns) matrix in some layout, at an address that no vector is aligned to.
struct Matrix {
  Index rows, columns, row_stride, column_stride;
  std::vector<float> memory;

  Matrix(Index r, Index c, Layout layout) : rows(r), columns(c), row_stride(0), column_stride(0) {
    const Index padding = 3;
    switch (layout) {
      case Layout::row_major:
        row_stride = c + padding;
        column_stride = 1;
        break;
      case Layout::transposed:
        row_stride = 1;
        column_stride = r + padding;
        break;
      case Layout::strided:
        row_stride = 2 * c + padding;
        column_stride = 2;
        break;
    }
    // Not an element more than the matrix needs: the sanitizer sees reads beyond it.
    const Index last = r == 0 || c == 0 ? 0 : (r - 1) * row_stride + (c - 1) * column_stride + 1;
    memory.assign(static_cast<std::size_t>(last + 1), 0.0F);
  }
  float* data() { return memory.data() + 1; }
  float& operator()(Index i, Index j) { return data()[i * row_stride + j * column_stride]; }
};

void fill_integers(Matrix& matrix, std::uint64_t seed) {
  for (Index i = 0; i < matrix.rows; ++i) {
    for (Index j = 0; j < matrix.columns; ++j) {
      seed = seed * 6364136223846793005U + 1442695040888963407U;
      matrix(i, j) = static_cast<float>(static_cast<int>(seed >> 60U) - 8);
    }
  }
}

void fill_normal(Matrix& matrix, std::uint64_t seed) {
  Random random(seed, 1);
  for (Index i = 0; i < matrix.rows; ++i) {
    for (Index j = 0; j < matrix.columns; ++j) matrix(i, j) = static_cast<float>(random.normal());
  }
}

/// C with a border of marked elements around it and between its rows.
class Target {
 public:
  static constexpr float mark = 12345.0F;

  Target(Index rows, Index columns)
      : rows_(rows),
        columns_(columns),
        stride_(columns + 5),
        memory_(static_cast<std::size_t>(rows * stride_ + 2 * border), mark) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) (*this)(i, j) = static_cast<float>((i + 2 * j) % 5 - 2);
    }
  }
  float* data() { return memory_.data() + border; }
  [[nodiscard]] Index stride() const { return stride_; }
  float& operator()(Index i, Index j) { return data()[i * stride_ + j]; }

  bool border_is_intact() {
    for (Index p = -border; p < rows_ * stride_ + border; ++p) {
      const bool inside = p >= 0 && p < rows_ * stride_ && p % stride_ < columns_;
      if (!inside && data()[p] != mark) return false;
    }
    return true;
  }

 private:
  static constexpr Index border = 64;
  Index rows_, columns_, stride_;
  std::vector<float> memory_;
};

void run(const GemmKernels& kernels, Matrix& a, Matrix& b, Target& c, bool accumulate,
         const simd::GemmEpilogue& epilogue = {}) {
  std::vector<float> panels(static_cast<std::size_t>(kernels.packed_size(b.rows, b.columns)));
  std::vector<float> scratch(static_cast<std::size_t>(kernels.scratch_size(a.rows, a.columns)));
  kernels.pack_b(b.data(), b.row_stride, b.column_stride, b.rows, b.columns, panels.data());
  GemmProduct product;
  product.m = a.rows;
  product.n = b.columns;
  product.k = a.columns;
  product.a = a.data();
  product.a_row_stride = a.row_stride;
  product.a_column_stride = a.column_stride;
  product.b = panels.data();
  product.c = c.data();
  product.c_stride = c.stride();
  product.accumulate = accumulate;
  product.epilogue = epilogue;
  kernels.multiply(product, scratch.data());
}

struct Case {
  Index m, n, k;
};
const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {1, 1, 1},    {1, 33, 7},   {2, 31, 16},  {3, 67, 17},  {4, 4, 4},     {5, 9, 255},  {7, 64, 256}, {8, 5, 257},
      {9, 16, 15},  {13, 17, 33}, {14, 32, 64}, {15, 33, 31}, {16, 48, 9},   {17, 1, 600}, {28, 65, 13}, {29, 63, 300},
      {33, 66, 67}, {67, 67, 67}, {41, 35, 1},  {6, 16, 512}, {1, 160, 513}, {11, 12, 0}};
  return list;
}

void expect_exact_product(const GemmKernels& kernels, const Case& size, Layout a_layout, Layout b_layout,
                          bool accumulate) {
  Matrix a(size.m, size.k, a_layout);
  Matrix b(size.k, size.n, b_layout);
  Target c(size.m, size.n);
  Target before = c;
  fill_integers(a, 1);
  fill_integers(b, 2);
  run(kernels, a, b, c, accumulate);
  ASSERT_TRUE(c.border_is_intact());
  for (Index i = 0; i < size.m; ++i) {
    for (Index j = 0; j < size.n; ++j) {
      double expected = accumulate ? static_cast<double>(before(i, j)) : 0.0;
      for (Index p = 0; p < size.k; ++p) expected += static_cast<double>(a(i, p)) * static_cast<double>(b(p, j));
      ASSERT_EQ(c(i, j), static_cast<float>(expected)) << "element " << i << ", " << j;
    }
  }
}

TEST(Gemm, IntegersAreExactInEveryLayoutAndSize) {
  test::for_each_level([](simd::Level level) {
    constexpr Layout layouts[] = {Layout::row_major, Layout::transposed, Layout::strided};
    for (const Case& size : cases()) {
      SCOPED_TRACE(testing::Message() << size.m << " x " << size.n << " x " << size.k);
      for (const Layout a : layouts) {
        for (const Layout b : layouts) {
          for (const bool accumulate : {false, true}) {
            expect_exact_product(simd::gemm_kernels(level), size, a, b, accumulate);
          }
        }
      }
    }
  });
}

TEST(Gemm, SeveralBlocksOfRowsAreExact) {
  test::for_each_level([](simd::Level level) {
    const GemmKernels& kernels = simd::gemm_kernels(level);
    expect_exact_product(kernels, {2 * kernels.block_rows + 3, 37, 270}, Layout::row_major, Layout::transposed, false);
    expect_exact_product(kernels, {kernels.block_rows + 1, 37, 270}, Layout::transposed, Layout::row_major, true);
  });
}

/// Higham, Accuracy and Stability of Numerical Algorithms (2002), 3.5: |error| <= gamma_k |a| |b|, where gamma_k =
/// k u / (1 - k u); the scalar level rounds every product too, and each chunk's sum is one more addition.
TEST(Gemm, ErrorsStayWithinTheBoundOfOrdinarySummation) {
  test::for_each_level([](simd::Level level) {
    for (const Case& size : {Case{33, 66, 67}, Case{29, 63, 300}, Case{15, 40, 3072}}) {
      Matrix a(size.m, size.k, Layout::row_major);
      Matrix b(size.k, size.n, Layout::transposed);
      Target c(size.m, size.n);
      fill_normal(a, 3);
      fill_normal(b, 4);
      run(simd::gemm_kernels(level), a, b, c, false);
      const double terms = static_cast<double>(size.k + size.k / 256 + 2);
      const double gamma = terms * std::exp2(-24) / (1 - terms * std::exp2(-24));
      double worst = 0;
      for (Index i = 0; i < size.m; ++i) {
        for (Index j = 0; j < size.n; ++j) {
          double expected = 0;
          double magnitude = 0;
          for (Index p = 0; p < size.k; ++p) {
            const double term = static_cast<double>(a(i, p)) * static_cast<double>(b(p, j));
            expected += term;
            magnitude += std::abs(term);
          }
          const double error = std::abs(static_cast<double>(c(i, j)) - expected);
          ASSERT_LE(error, gamma * magnitude);
          worst = std::max(worst, error / magnitude);
        }
      }
      EXPECT_LE(worst, 3e-7) << "the usual error is far below the bound";
    }
  });
}

TEST(Gemm, ARowHasTheSameBitsAloneAndInAnyBatch) {
  test::for_each_level([](simd::Level level) {
    const GemmKernels& kernels = simd::gemm_kernels(level);
    for (const Index n : {1, 31, 65}) {
      for (const Index k : {1, 67, 256, 515}) {
        Matrix a(67, k, Layout::row_major);
        Matrix b(k, n, Layout::transposed);
        fill_normal(a, 5);
        fill_normal(b, 6);
        Target whole(67, n);
        run(kernels, a, b, whole, true);
        for (const Index batch : {1, 2, 3, 4, 5, 7, 8, 13, 33}) {
          for (Index begin = 0; begin < 67; begin += batch) {
            const Index rows = std::min<Index>(batch, 67 - begin);
            Matrix part(rows, k, Layout::row_major);
            for (Index i = 0; i < rows; ++i) {
              for (Index p = 0; p < k; ++p) part(i, p) = a(begin + i, p);
            }
            Target c(rows, n);
            for (Index i = 0; i < rows; ++i) {
              for (Index j = 0; j < n; ++j) c(i, j) = static_cast<float>((begin + i + 2 * j) % 5 - 2);
            }
            run(kernels, part, b, c, true);
            for (Index i = 0; i < rows; ++i) {
              ASSERT_EQ(std::memcmp(&c(i, 0), &whole(begin + i, 0), static_cast<std::size_t>(n) * sizeof(float)), 0)
                  << "row " << begin + i << " in batches of " << batch << ", k " << k << ", n " << n;
            }
          }
        }
      }
    }
  });
}

/// The order that simd/gemm.hpp promises, written out for one element.
TEST(Gemm, TheOrderOfASumIsTheOneThatIsDocumented) {
  test::for_each_level([](simd::Level level) {
    const Index k = 600;
    Matrix a(1, k, Layout::row_major);
    Matrix b(k, 1, Layout::row_major);
    fill_normal(a, 7);
    fill_normal(b, 8);
    Target c(1, 1);
    volatile float expected = c(0, 0);
    for (Index begin = 0; begin < k; begin += 256) {
      volatile float sum = 0;
      for (Index p = begin; p < std::min<Index>(k, begin + 256); ++p) {
        if (level == simd::Level::scalar) {
          volatile float term = a(0, p) * b(p, 0);
          sum = sum + term;
        } else {
          sum = std::fma(a(0, p), b(p, 0), static_cast<float>(sum));
        }
      }
      expected = expected + sum;
    }
    run(simd::gemm_kernels(level), a, b, c, true);
    EXPECT_EQ(c(0, 0), expected);
  });
}

double reference_activation(Activation kind, double x) {
  switch (kind) {
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x * 0.70710678118654752440);
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case Activation::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::identity:
      break;
  }
  return x;
}

/// z = A B + bias with integers, so exact; then y (+)= f(z).
TEST(Gemm, TheEpilogueAddsBiasKeepsThePreactivationAndAppliesTheActivation) {
  test::for_each_level([](simd::Level level) {
    for (const Case& size : cases()) {
      SCOPED_TRACE(testing::Message() << size.m << " x " << size.n << " x " << size.k);
      for (const Activation kind : {Activation::identity, Activation::gelu, Activation::gelu_tanh,
                                    Activation::quick_gelu, Activation::relu, Activation::silu}) {
        Matrix a(size.m, size.k, Layout::row_major);
        Matrix b(size.k, size.n, Layout::transposed);
        fill_integers(a, 9);
        fill_integers(b, 10);
        for (Index i = 0; i < size.m; ++i) {
          for (Index p = 2; p < size.k; ++p)
            a(i, p) = 0;  // sums of two products: in the activation's interesting range
        }
        for (float& x : a.memory) x /= 16;
        Matrix bias(1, size.n, Layout::row_major);
        fill_integers(bias, 11);
        for (float& x : bias.memory) x /= 8;
        Target z(size.m, size.n);
        Target y(size.m, size.n);
        Target before = y;
        run(simd::gemm_kernels(level), a, b, z, false, {bias.data(), kind, y.data(), y.stride(), true});
        Target in_place(size.m, size.n);
        run(simd::gemm_kernels(level), a, b, in_place, false, {bias.data(), kind});
        ASSERT_TRUE(z.border_is_intact() && y.border_is_intact() && in_place.border_is_intact());
        for (Index i = 0; i < size.m; ++i) {
          for (Index j = 0; j < size.n; ++j) {
            double expected = static_cast<double>(bias(0, j));
            for (Index p = 0; p < size.k; ++p) expected += static_cast<double>(a(i, p)) * static_cast<double>(b(p, j));
            ASSERT_EQ(z(i, j), static_cast<float>(expected));
            const double value = reference_activation(kind, expected);
            const double tolerance = 2e-7 * std::max(1.0, std::abs(value));
            ASSERT_NEAR(static_cast<double>(in_place(i, j)), value, tolerance);
            ASSERT_EQ(y(i, j), before(i, j) + in_place(i, j));
          }
        }
      }
    }
  });
}

/// FNV-1a of the bits of a product with bias and activation.
std::uint64_t digest(const GemmKernels& kernels, Activation kind) {
  Matrix a(33, 515, Layout::row_major);
  Matrix b(515, 70, Layout::transposed);
  Matrix bias(1, 70, Layout::row_major);
  std::uint64_t seed = 1;
  for (Matrix* matrix : {&a, &b, &bias}) {
    for (float& x : matrix->memory) {  // uniform in [-1 / 4, 1 / 4) with 24 bits, exact in every build
      seed = seed * 6364136223846793005U + 1442695040888963407U;
      x = static_cast<float>(static_cast<std::int32_t>(seed >> 40U) - (1 << 23)) * 0x1p-25F;
    }
  }
  Target c(33, 70);
  run(kernels, a, b, c, true, {bias.data(), kind});
  std::uint64_t hash = 14695981039346656037U;
  for (Index i = 0; i < 33; ++i) {
    for (Index j = 0; j < 70; ++j) {
      std::uint32_t word = 0;
      std::memcpy(&word, &c(i, j), sizeof word);
      hash = (hash ^ word) * 1099511628211U;
    }
  }
  return hash;
}

/// Digests of one build; every compiler, optimisation level, -march, -ffp-contract and -ffast-math must give them.
/// Levels with a fused multiply-add agree, because an element's sum does not depend on the width of a vector.
TEST(Gemm, BitsAreTheSameInEveryBuild) {
  struct Expected {
    Activation kind;
    std::uint64_t scalar;
    std::uint64_t fused;
  };
  constexpr Expected table[] = {{Activation::identity, 0x4dff0a387845651dU, 0x198101918e521089U},
                                {Activation::gelu, 0x182968865e4fd7ddU, 0x6bdd1dc65d04bd01U},
                                {Activation::gelu_tanh, 0xa233625d40dea005U, 0x5f385f66ce84b4f8U},
                                {Activation::quick_gelu, 0xa60508f5d21b252cU, 0xe42b50f9a8d193c3U}};
  test::for_each_level([&](simd::Level level) {
    for (const Expected& expected : table) {
      EXPECT_EQ(digest(simd::gemm_kernels(level), expected.kind),
                level == simd::Level::scalar ? expected.scalar : expected.fused)
          << "activation " << static_cast<int>(expected.kind);
    }
  });
}

}  // namespace
}  // namespace couplet
