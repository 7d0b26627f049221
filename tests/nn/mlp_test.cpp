#include "couplet/nn/mlp.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(Mlp, AddsToTheResidualStreamAndItsGradientsAreRight) {
  for (const Activation activation :
       {Activation::gelu, Activation::gelu_tanh, Activation::quick_gelu, Activation::silu}) {
    nn::Mlp<double> mlp(6, 10, activation);
    if (activation == Activation::silu) mlp.set_gate(1e-3);
    test::randomize(mlp, 1);
    auto x = test::random_matrix<double>(4, 6, 2);
    const auto residual = test::random_matrix<double>(4, 6, 3);
    const auto dy = test::random_matrix<double>(4, 6, 4);
    Workspace workspace;
    Tensor<double, 2> y;
    nn::Mlp<double>::Saved saved;
    saved.resize(mlp, 4);
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

/// c_proj(ln(silu(c_gate(x)) c_fc(x))), by hand for one row.
TEST(Mlp, AGateMultipliesTheHiddenLayerAndANormFollows) {
  nn::Mlp<double> mlp(2, 2, Activation::gelu);
  mlp.set_gate(1e-3);
  test::randomize(mlp, 1);
  mlp.prepare();
  const auto x = test::random_matrix<double>(1, 2, 2);
  const auto linear = [](nn::Linear<double>& layer, const double* in, Index r) {
    return layer.weight.matrix()(r, 0) * in[0] + layer.weight.matrix()(r, 1) * in[1] + layer.bias.value.data()[r];
  };
  double h[2];
  for (Index r = 0; r < 2; ++r) {
    const double gate = linear(mlp.c_gate, x.data(), r);
    h[r] = gate / (1 + std::exp(-gate)) * linear(mlp.c_fc, x.data(), r);
  }
  const double mean = (h[0] + h[1]) / 2, deviation = std::sqrt((h[0] - mean) * (h[0] - mean) + 1e-3);
  for (Index r = 0; r < 2; ++r) {
    h[r] = (h[r] - mean) / deviation * mlp.ln.weight.value.data()[r] + mlp.ln.bias.value.data()[r];
  }
  Tensor<double, 2> copied = x, y({1, 2});
  Workspace workspace;
  mlp.forward(ops::Operand<double>(copied.view()), y, workspace, nullptr);
  for (Index r = 0; r < 2; ++r) EXPECT_NEAR(y(0, r), linear(mlp.c_proj, h, r), 1e-14);
}

}  // namespace
