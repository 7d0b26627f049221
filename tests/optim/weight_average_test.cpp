#include "couplet/optim/weight_average.hpp"

#include <gtest/gtest.h>

#include "optim/toy_model.hpp"

namespace couplet::optim {
namespace {

using test::ToyModel;

TEST(WeightAverage, FollowsTheFormulaWithAGrowingDecay) {
  ToyModel<double> model;
  model.fill_values(1);
  model.positional_embedding.trainable = false;
  WeightAverage<double> average(model, 0.5);
  std::vector<double> expected(model.weight.value.data(), model.weight.value.data() + model.weight.size());
  for (std::int64_t t = 0; t < 20; ++t) {
    model.fill_values(static_cast<std::uint64_t>(t) + 5);
    average.update(t);
    const double decay = std::min(0.5, (1 + static_cast<double>(t)) / (10 + static_cast<double>(t)));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = decay * expected[i] + (1 - decay) * model.weight.value.data()[i];
    }
  }
  const ToyModel<double> last = model;
  average.swap();
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(model.weight.value.data()[i], expected[i], 1e-14);
  EXPECT_EQ(model.positional_embedding.value.data()[0], last.positional_embedding.value.data()[0]);
  average.swap();
  EXPECT_EQ(model.weight.value.data()[7], last.weight.value.data()[7]);
  int tensors = 0;
  average.visit_state([&](const std::string& name, const Shape&, TensorView<double, 1>) {
    EXPECT_TRUE(name.ends_with(".ema"));
    ++tensors;
  });
  EXPECT_EQ(tensors, 3);  // without the frozen one
}

/// A weight, and running statistics that no optimiser steps.
struct ModelWithBuffer {
  Parameter<double> weight{Shape{2}}, running_mean{Shape{2}};
  template <class F>
  void visit_parameters(F&& f) {
    f(std::string_view("weight"), weight);
  }
  template <class F>
  void visit_buffers(F&& f) {
    f(std::string_view("running_mean"), running_mean);
  }
};

TEST(WeightAverage, RunningStatisticsBelongToTheWeights) {
  ModelWithBuffer model;
  model.running_mean.trainable = false;
  WeightAverage<double> average(model, 0.5);
  model.running_mean.value.data()[1] = 10;
  average.update(0);  // decay 1 / 10
  average.swap();
  EXPECT_DOUBLE_EQ(model.running_mean.value.data()[1], 9);
}

TEST(WeightAverage, RefusesDecaysOutOfRange) {
  ToyModel<float> model;
  EXPECT_THROW(WeightAverage<float>(model, 1), std::invalid_argument);
  EXPECT_THROW(WeightAverage<float>(model, -0.1), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
