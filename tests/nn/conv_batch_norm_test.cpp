#include "couplet/nn/conv_batch_norm.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;
using Unit = nn::ConvBatchNorm<double>;

const ops::FeatureMap unit_map{2, 5, 4};

Unit make_unit(Activation activation) {
  Unit unit(3, 4, 3, activation);
  test::randomize(unit.conv, 1);
  test::randomize(unit.bn, 5);
  for (Index c = 0; c < 4; ++c) {
    unit.bn.running_mean.value.data()[c] = 0.3 * static_cast<double>(c);
    unit.bn.running_var.value.data()[c] = 0.5 + static_cast<double>(c);
  }
  unit.prepare();
  return unit;
}

TEST(ConvBatchNorm, InferenceIsTrainingWithFrozenStatistics) {
  for (const Activation activation : {Activation::identity, Activation::relu}) {
    Unit unit = make_unit(activation);
    unit.bn.frozen = true;
    auto x = test::random_matrix<double>(unit_map.rows(), 3, 2);
    Tensor<double, 2> training({unit_map.rows(), 4}), inference({unit_map.rows(), 4});
    Workspace workspace;
    Unit::Saved saved;
    unit.forward_training(x, unit_map, training, workspace, saved);
    unit.forward(x, unit_map, false, inference, workspace);
    EXPECT_TRUE(test::near_relative_to_max(inference, training, 1e-14));
    unit.forward(x, unit_map, true, inference, workspace);
    for (Index i = 0; i < training.size(); ++i) training.data()[i] *= 2;
    EXPECT_TRUE(test::near_relative_to_max(inference, training, 1e-14));
  }
}

TEST(ConvBatchNorm, HasTrueGradients) {
  for (const bool frozen : {false, true}) {
    Unit unit = make_unit(Activation::relu);
    unit.bn.frozen = frozen;
    auto x = test::random_matrix<double>(unit_map.rows(), 3, 2);
    const auto dy = test::random_matrix<double>(unit_map.rows(), 4, 3);
    Tensor<double, 2> y(dy.extents()), dx(x.extents()), again(dy.extents());
    Workspace workspace;
    Unit::Saved saved;
    const auto loss = [&] {
      unit.forward_training(x, unit_map, y, workspace, saved);
      return test::inner_product(test::elements(dy), test::elements(y));
    };
    loss();
    unit.recompute(saved, again, workspace);
    EXPECT_TRUE(test::same_bits(again, y));
    nn::zero_grad(unit.conv);
    nn::zero_grad(unit.bn);
    Tensor<double, 2> scratch = dy;
    const auto running_mean = unit.bn.running_mean.value;
    unit.backward(scratch, again, x, unit_map, dx, workspace, saved);
    EXPECT_EQ(unit.bn.running_mean.value.data()[1] == running_mean.data()[1], frozen);
    test::expect_parameter_gradients(unit.conv, loss, 1e-7, 200, test::smooth_step);
    test::expect_parameter_gradients(unit.bn, loss, 1e-7, 200, test::smooth_step);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx), 1e-7, 200, test::smooth_step));
  }
}

TEST(ConvBatchNorm, MustBePreparedForInference) {
  const Unit unit(3, 4, 3, Activation::relu);
  Tensor<double, 2> x({unit_map.rows(), 3}), y({unit_map.rows(), 4});
  Workspace workspace;
  EXPECT_THROW(unit.forward(x, unit_map, false, y, workspace), std::invalid_argument);
}

}  // namespace
