#include "couplet/nn/batch_norm.hpp"

#include <limits>
#include <set>

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

/// One training pass over x.
void train(nn::BatchNorm<double>& bn, const Tensor<double, 2>& x, Tensor<double, 2>& y) {
  Workspace workspace;
  nn::BatchNorm<double>::Saved saved;
  nn::zero_grad(bn);
  bn.take_statistics(x, saved);
  bn.forward(x, saved, y, workspace);
  Tensor<double, 2> dx(x.extents());
  bn.backward(y, x, saved, dx, workspace);
}

TEST(BatchNormModule, RunningStatisticsFollowTheBatchs) {
  nn::BatchNorm<double> bn(1);
  Tensor<double, 2> x({4, 1}), y({4, 1});
  const double values[] = {1, 2, 3, 6};  // mean 3, variance 14 / 3 without bias
  std::copy_n(values, 4, x.data());
  train(bn, x, y);
  EXPECT_NEAR(bn.running_mean.value.data()[0], 0.1 * 3, 1e-15);
  EXPECT_NEAR(bn.running_var.value.data()[0], 0.9 + 0.1 * 14 / 3, 1e-15);
  EXPECT_EQ(*bn.num_batches_tracked.value.data(), 1);
  train(bn, x, y);
  EXPECT_NEAR(bn.running_mean.value.data()[0], 0.9 * 0.3 + 0.3, 1e-15);
  EXPECT_EQ(*bn.num_batches_tracked.value.data(), 2);
}

TEST(BatchNormModule, FrozenItNormalisesWithTheRunningOnesAndLeavesThem) {
  nn::BatchNorm<double> bn(3);
  test::randomize(bn, 1);
  bn.visit_buffers([](std::string_view, Parameter<double>& buffer) {
    for (Index i = 0; i < buffer.size(); ++i) buffer.value.data()[i] = 0.5 + static_cast<double>(i);
  });
  bn.frozen = true;
  const auto x = test::random_matrix<double>(6, 3, 2);
  Tensor<double, 2> y({6, 3});
  train(bn, x, y);
  for (Index r = 0; r < 6; ++r) {
    for (Index c = 0; c < 3; ++c) EXPECT_NEAR(y(r, c), bn.factor(c) * x(r, c) + bn.offset(c), 1e-14);
  }
  EXPECT_EQ(bn.running_mean.value.data()[2], 2.5);
  EXPECT_EQ(*bn.num_batches_tracked.value.data(), 0.5);
}

TEST(BatchNormModule, StatisticsThatAreNotFiniteAreLeftOut) {
  nn::BatchNorm<double> bn(2);
  auto x = test::random_matrix<double>(6, 2, 2);
  x(3, 1) = std::numeric_limits<double>::quiet_NaN();
  Tensor<double, 2> y({6, 2});
  train(bn, x, y);
  EXPECT_EQ(bn.running_mean.value.data()[0], 0.0);
  EXPECT_EQ(bn.running_var.value.data()[1], 1.0);
  EXPECT_EQ(*bn.num_batches_tracked.value.data(), 0);
}

TEST(BatchNormModule, BuffersAreNoParameters) {
  nn::BatchNorm<float> bn(2);
  std::set<std::string> parameters, buffers;
  bn.visit_parameters([&](std::string_view name, Parameter<float>&) { parameters.emplace(name); });
  bn.visit_buffers([&](std::string_view name, Parameter<float>& buffer) {
    buffers.emplace(name);
    EXPECT_FALSE(buffer.trainable) << name;
  });
  EXPECT_EQ(parameters, (std::set<std::string>{"weight", "bias"}));
  EXPECT_EQ(buffers, (std::set<std::string>{"running_mean", "running_var", "num_batches_tracked"}));
}

TEST(BatchNormModule, RefusesABatchOfOnePixel) {
  const nn::BatchNorm<float> bn(2);
  nn::BatchNorm<float>::Saved saved;
  EXPECT_THROW(bn.take_statistics(Tensor<float, 2>({1, 2}), saved), std::invalid_argument);
}

}  // namespace
