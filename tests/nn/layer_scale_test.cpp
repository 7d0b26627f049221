#include "couplet/nn/layer_scale.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(LayerScaleModule, ScalesABranchAndItsGradientsAreRight) {
  nn::LayerScale<double> scale(3);
  test::randomize(scale, 1);
  auto u = test::random_matrix<double>(4, 3, 2);
  const auto residual = test::random_matrix<double>(4, 3, 3);
  const auto dy = test::random_matrix<double>(4, 3, 4);
  Workspace workspace;
  nn::LayerScale<double>::Saved saved;
  saved.resize(scale, 4);
  Tensor<double, 2> y;
  const auto branch = [&](TensorView<double, 2> out) {
    for (Index i = 0; i < u.size(); ++i) out.data()[i] += u.data()[i];
  };
  const auto loss = [&] {
    y = residual;
    scale.add(y, workspace, &saved, 0, branch);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  Tensor<double, 2> inference = residual;
  scale.add(inference, workspace, nullptr, 0, branch);
  EXPECT_TRUE(test::same_bits(inference, y));
  nn::zero_grad(scale);
  const TensorView<const double, 2> du = scale.backward(dy, workspace, saved);
  test::expect_parameter_gradients(scale, loss);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(u), {du.data(), static_cast<std::size_t>(du.size())}));
}

TEST(LayerScaleModule, IsNothingWhereAModelHasNone) {
  nn::LayerScale<float> none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(nn::count_parameters(none), 0);
  Tensor<float, 2> y({1, 2});
  y.fill(1);
  Workspace workspace;
  none.add(y, workspace, nullptr, 0, [](TensorView<float, 2> out) { out(0, 1) += 2; });
  EXPECT_EQ(y(0, 1), 3);
  EXPECT_EQ(none.backward(y, workspace, {}).data(), y.data());
}

}  // namespace
