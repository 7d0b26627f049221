#include "couplet/simd/layer_norm.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

// tests/ops/layer_norm_test.cpp compares every kernel with the double reference for widths 1 to 67.
namespace couplet {
namespace {

TEST(LayerNormKernel, HasTheSameBitsForAnySplitOfTheColumns) {
  test::for_each_level([](simd::Level) {
    const Index rows = 300;
    const Index columns = 90;
    const auto dy = test::random_matrix<float>(rows, columns, 1);
    const auto x = test::random_matrix<float>(rows, columns, 2);
    const auto mean = test::random_vector<float>(rows, 3);
    const auto rstd = test::random_vector<float>(rows, 4, 0.1, 1.0);
    const auto parameters = [&](Index begin, Index end, Tensor<float, 1>& dweight, Tensor<float, 1>& dbias) {
      simd::layer_norm_kernels().backward_parameters(dy.data() + begin, columns, x.data() + begin, columns, mean.data(),
                                                     rstd.data(), rows, end - begin, dweight.data() + begin,
                                                     dbias.data() + begin);
    };
    Tensor<float, 1> dweight({columns});
    Tensor<float, 1> dbias({columns});
    parameters(0, columns, dweight, dbias);
    Tensor<float, 1> split_dweight({columns});
    Tensor<float, 1> split_dbias({columns});
    parameters(0, 3, split_dweight, split_dbias);
    parameters(3, 68, split_dweight, split_dbias);
    parameters(68, columns, split_dweight, split_dbias);
    EXPECT_TRUE(test::same_bits(split_dweight, dweight));
    EXPECT_TRUE(test::same_bits(split_dbias, dbias));
  });
}

TEST(LayerNormKernel, DividesTheVarianceOfConstantRowsByTheRootOfEps) {
  test::for_each_level([](simd::Level) {
    Tensor<float, 1> x({40});
    x.fill(3.0F);
    const auto weight = test::random_vector<float>(40, 1);
    const auto bias = test::random_vector<float>(40, 2);
    Tensor<float, 1> y({40});
    float mean = 0;
    float rstd = 0;
    simd::layer_norm_kernels().forward(x.data(), weight.data(), bias.data(), 1.0F / 1024, 40, y.data(), &mean, &rstd);
    EXPECT_EQ(mean, 3.0F);
    EXPECT_EQ(rstd, 32.0F);
    EXPECT_TRUE(test::same_bits(y, bias));
  });
}

}  // namespace
}  // namespace couplet
