#include "couplet/nn/conv2d.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(Conv2dModule, HoldsTorchsOrderAndGivesProductsTheirs) {
  nn::Conv2d<float> conv(2, 1, 3);
  for (Index i = 0; i < 18; ++i) conv.weight.value.data()[i] = static_cast<float>(i);
  Tensor<float, 2> product({1, 18});
  conv.copy_weight(std::as_const(conv.weight).matrix(), product);
  // (o, ky, kx, c): pixel by pixel, the two channels side by side.
  for (Index tap = 0; tap < 9; ++tap) {
    EXPECT_EQ(product(0, 2 * tap), static_cast<float>(tap));
    EXPECT_EQ(product(0, 2 * tap + 1), static_cast<float>(9 + tap));
  }
}

TEST(Conv2dModule, HasTrueGradients) {
  const ops::FeatureMap map{2, 5, 4};
  for (const Index kernel : {1, 3}) {
    nn::Conv2d<double> conv(3, 4, kernel);
    test::randomize(conv, 1);
    auto x = test::random_matrix<double>(map.rows(), 3, 2);
    const auto dy = test::random_matrix<double>(map.rows(), 4, 3);
    Tensor<double, 2> y(dy.extents()), dx(x.extents());
    Workspace workspace;
    const auto loss = [&] {
      conv.forward(x, map, y, workspace, Precision::float32);
      return test::inner_product(test::elements(dy), test::elements(y));
    };
    nn::zero_grad(conv);
    conv.backward(dy, x, map, dx, workspace, Precision::float32);
    test::expect_parameter_gradients(conv, loss, 1e-8, 200);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  }
}

TEST(Conv2dModule, WithAStrideOnlyTheWeightHasAGradient) {
  const ops::FeatureMap map{1, 6, 5};
  nn::Conv2d<double> conv(2, 3, 3, 2);
  test::randomize(conv, 1);
  const auto x = test::random_matrix<double>(map.rows(), 2, 2);
  const auto dy = test::random_matrix<double>(conv.on(map).output().rows(), 3, 3);
  Tensor<double, 2> y(dy.extents()), dx(x.extents());
  Workspace workspace;
  const auto loss = [&] {
    conv.forward(x, map, y, workspace, Precision::float32);
    return test::inner_product(test::elements(dy), test::elements(y));
  };
  nn::zero_grad(conv);
  EXPECT_THROW(conv.backward(dy, x, map, dx, workspace, Precision::float32), std::invalid_argument);
  conv.backward(dy, x, map, {}, workspace, Precision::float32);
  test::expect_parameter_gradients(conv, loss, 1e-8, 200);
}

}  // namespace
