#include "couplet/ops/matmul_bf16.hpp"

#include "couplet/ops/layer_norm.hpp"
#include "couplet/ops/linear.hpp"
#include "couplet/ops/packed_factor.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;
using ops::Operand;
using ops::PackedWeight;

#define SKIP_WITHOUT_BFLOAT16() \
  if (simd::bf16_gemm_kernels() == nullptr) GTEST_SKIP() << "this level has no products in bfloat16"

/// The elements as bfloat16 holds them.
Tensor<double, 2> rounded(TensorView<const float, 2> x) {
  Tensor<double, 2> y(x.extents());
  for (Index i = 0; i < x.extent(0); ++i) {
    for (Index j = 0; j < x.extent(1); ++j) y(i, j) = static_cast<double>(static_cast<float>(bfloat16(x(i, j))));
  }
  return y;
}

TEST(MatmulBf16, IsTheProductOfRoundedFactorsInEveryOrder) {
  SKIP_WITHOUT_BFLOAT16();
  Workspace workspace;
  for (const auto& [m, n, k] : {std::array<Index, 3>{1, 1, 1}, {70, 90, 130}, {200, 40, 33}, {5, 300, 64}}) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        const auto a = a_transposed ? test::random_matrix<float>(k, m, 1) : test::random_matrix<float>(m, k, 1);
        const auto b = b_transposed ? test::random_matrix<float>(n, k, 2) : test::random_matrix<float>(k, n, 2);
        auto c = test::random_matrix<float>(m, n, 3);
        Tensor<double, 2> expected({m, n});
        for (Index i = 0; i < c.size(); ++i) expected.data()[i] = static_cast<double>(c.data()[i]);
        const auto a_double = rounded(a), b_double = rounded(b);
        ops::multiply<double>({a_double, a_transposed}, {b_double, b_transposed}, expected, true, workspace);
        ops::multiply<float>({a, a_transposed}, {b, b_transposed}, c, true, Precision::bfloat16, workspace);
        EXPECT_TRUE(test::near_relative_to_max(c, expected, 1e-6));
      }
    }
  }
}

TEST(MatmulBf16, Float32IsAskedForByName) {
  Workspace workspace;
  const auto a = test::random_matrix<float>(20, 30, 1), b = test::random_matrix<float>(30, 10, 2);
  Tensor<float, 2> c({20, 10}), d({20, 10});
  ops::multiply<float>({a}, {b}, c, false, Precision::float32, workspace);
  ops::multiply<float>({a}, {b}, d, false, workspace);
  EXPECT_TRUE(test::same_bits(c, d));
}

TEST(MatmulBf16, SameBitsOnOneAndTwoThreadsAndForEveryRowAlone) {
  SKIP_WITHOUT_BFLOAT16();
  Workspace workspace;
  auto x = test::random_matrix<float>(150, 200, 1);
  const auto weight = test::random_matrix<float>(330, 200, 2);
  PackedWeight<float> packed;
  packed.pack(weight, Precision::bfloat16);
  Tensor<float, 2> y({150, 330}), y_one({150, 330}), row({1, 330});
  ops::linear_forward<float>(Operand<float>(x.view()), packed, {}, y, workspace);
  {
    const ThreadLimit one(1);
    ops::linear_forward<float>(Operand<float>(x.view()), packed, {}, y_one, workspace);
  }
  EXPECT_TRUE(test::same_bits(y, y_one));
  for (const Index i : {0, 17, 149}) {
    ops::linear_forward<float>(Operand<float>(x.view().slice(i, i + 1)), packed, {}, row, workspace);
    EXPECT_TRUE(test::same_bits(row.view()[0], y.view()[i]));
  }
}

TEST(MatmulBf16, PackedOperandsGiveTheBitsOfRows) {
  SKIP_WITHOUT_BFLOAT16();
  Workspace workspace;
  const Index rows = 53, width = 80, hidden = 200;
  const auto x = test::random_matrix<float>(rows, width, 1);
  const auto gamma = test::random_vector<float>(width, 2, 0.1, 1), beta = test::random_vector<float>(width, 3);
  const auto weight = test::random_matrix<float>(hidden, width, 4, 0.1),
             bias = test::random_matrix<float>(1, hidden, 5);
  const auto weight_2 = test::random_matrix<float>(width, hidden, 6, 0.1);
  PackedWeight<float> first, second;
  first.pack(weight, Precision::bfloat16);
  second.pack(weight_2, Precision::bfloat16);
  EXPECT_EQ(first.precision(), Precision::bfloat16);
  const auto run = [&](Precision form) {
    const Workspace::Scope scope(workspace);
    const Operand<float> a(workspace, rows, width, form), h(workspace, rows, hidden, form);
    EXPECT_EQ(a.panels() != nullptr, form == Precision::bfloat16);
    ops::layer_norm_forward<float>(x, gamma, beta, 1e-5F, a, {}, {});
    ops::linear_forward<float>(a, first, {.bias = bias.data(), .activation = Activation::gelu}, h, workspace);
    Tensor<float, 2> y({rows, width});
    copy(x.view(), y.view());
    ops::linear_forward<float>(h, second, {.accumulate = true}, y, workspace);
    return y;
  };
  EXPECT_TRUE(test::same_bits(run(Precision::bfloat16), run(Precision::float32)));
}

TEST(MatmulBf16, FormsThatDoNotFitAreNamed) {
  SKIP_WITHOUT_BFLOAT16();
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const auto weight = test::random_matrix<float>(40, 32, 1);
  PackedWeight<float> float32, bf16;
  float32.pack(weight);
  bf16.pack(weight, Precision::bfloat16);
  const Operand<float> packed(workspace, 4, 32, Precision::bfloat16), packed_y(workspace, 4, 40, Precision::bfloat16);
  Tensor<float, 2> y({4, 40});
  EXPECT_THROW(ops::linear_forward<float>(packed, float32, {}, y, workspace), std::invalid_argument);
  EXPECT_THROW(ops::linear_forward<float>(packed, bf16, {.accumulate = true}, packed_y, workspace),
               std::invalid_argument);
}

TEST(MatmulBf16, WithoutKernelsAWeightStaysFloat32) {
  const simd::ScopedLevel scalar(simd::Level::scalar);
  PackedWeight<float> packed;
  packed.pack(test::random_matrix<float>(4, 5, 1), Precision::bfloat16);
  EXPECT_EQ(packed.precision(), Precision::float32);
  EXPECT_EQ(simd::effective_precision(Precision::bfloat16), Precision::float32);
}

}  // namespace
