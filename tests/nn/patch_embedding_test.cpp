#include "couplet/nn/patch_embedding.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(PatchEmbedding, IsAConvolutionWhoseStrideIsItsKernel) {
  nn::PatchEmbedding<double> conv(2, 3, 2, true);
  test::randomize(conv, 1);
  conv.prepare();
  const auto pixels = test::random_tensor<double, 4>({1, 3, 4, 5}, 2);  // the fifth column is not used
  Workspace workspace;
  Tensor<double, 2> y({4, 2});
  conv.forward(pixels, y, workspace, nullptr);
  for (Index row = 0; row < 2; ++row) {
    for (Index column = 0; column < 2; ++column) {
      for (Index out = 0; out < 2; ++out) {
        double sum = conv.bias.vector()[out];
        for (Index c = 0; c < 3; ++c) {
          for (Index i = 0; i < 2; ++i) {
            for (Index j = 0; j < 2; ++j) {
              sum +=
                  pixels(0, c, 2 * row + i, 2 * column + j) * conv.weight.value.data()[((out * 3 + c) * 2 + i) * 2 + j];
            }
          }
        }
        EXPECT_NEAR(y(2 * row + column, out), sum, 1e-14);
      }
    }
  }
}

TEST(PatchEmbedding, Gradients) {
  nn::PatchEmbedding<double> conv(4, 3, 3, true);
  test::randomize(conv, 1);
  const auto pixels = test::random_tensor<double, 4>({2, 3, 7, 6}, 2);
  const auto dy = test::random_matrix<double>(8, 4, 3);
  Workspace workspace;
  Tensor<double, 2> y({8, 4});
  nn::PatchEmbedding<double>::Saved saved;
  const auto loss = [&] {
    conv.prepare();
    conv.forward(pixels, y, workspace, &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(conv);
  conv.backward(dy, workspace, saved);
  test::expect_parameter_gradients(conv, loss);
}

}  // namespace
