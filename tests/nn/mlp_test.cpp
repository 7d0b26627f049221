#include "couplet/nn/mlp.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(Mlp, AddsToTheResidualStreamAndItsGradientsAreRight) {
  for (const Activation activation : {Activation::gelu, Activation::gelu_tanh, Activation::quick_gelu}) {
    nn::Mlp<double> mlp(6, 10, activation);
    test::randomize(mlp, 1);
    auto x = test::random_matrix<double>(4, 6, 2);
    const auto residual = test::random_matrix<double>(4, 6, 3);
    const auto dy = test::random_matrix<double>(4, 6, 4);
    Workspace workspace;
    Tensor<double, 2> y;
    nn::Mlp<double>::Saved saved;
    saved.resize(4, 10);
    const auto loss = [&] {
      mlp.prepare();
      y = residual;
      mlp.forward(ops::Operand<double>(x.view()), y, workspace, &saved);
      return test::inner_product(test::elements(y), test::elements(dy));
    };
    loss();
    Tensor<double, 2> inference = residual;
    mlp.forward(ops::Operand<double>(x.view()), inference, workspace, nullptr);
    EXPECT_TRUE(test::same_bits(inference, y));

    nn::zero_grad(mlp);
    Tensor<double, 2> dx({4, 6});
    mlp.backward(dy, x, dx, workspace, saved);
    test::expect_parameter_gradients(mlp, loss);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  }
}

}  // namespace
