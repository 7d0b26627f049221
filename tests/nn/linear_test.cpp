#include "couplet/nn/linear.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(Linear, ForwardNeedsPrepare) {
  nn::Linear<double> linear(3, 2);
  Workspace workspace;
  Tensor<double, 2> x({1, 3});
  Tensor<double, 2> y({1, 2});
  EXPECT_THROW(linear.forward(ops::Operand<double>(x.view()), {}, y, workspace), std::invalid_argument);
}

TEST(Linear, GradientsOfWeightBiasAndInput) {
  for (const bool with_bias : {true, false}) {
    nn::Linear<double> linear(5, 4, with_bias);
    test::randomize(linear, 1);
    auto x = test::random_matrix<double>(7, 5, 2);
    const auto dy = test::random_matrix<double>(7, 4, 3);
    Workspace workspace;
    Tensor<double, 2> y({7, 4});
    const auto loss = [&] {
      linear.prepare();
      linear.forward(ops::Operand<double>(x.view()), {}, y, workspace);
      return test::inner_product(test::elements(y), test::elements(dy));
    };
    loss();
    nn::zero_grad(linear);
    Tensor<double, 2> dx({7, 5});
    linear.backward(dy, x, dx, workspace);
    test::expect_parameter_gradients(linear, loss);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  }
}

TEST(Linear, FrozenWeightsGetNoGradientAndTheInputStillDoes) {
  nn::Linear<double> linear(5, 4);
  test::randomize(linear, 1);
  nn::set_trainable(linear, false);
  const auto x = test::random_matrix<double>(3, 5, 2);
  const auto dy = test::random_matrix<double>(3, 4, 3);
  Workspace workspace;
  Tensor<double, 2> dx({3, 5});
  linear.backward(dy, x, dx, workspace);
  EXPECT_FALSE(linear.weight.has_grad());
  EXPECT_NE(dx(0, 0), 0.0);
}

}  // namespace
