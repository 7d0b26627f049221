#include "couplet/optim/optimizer.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "couplet/optim/adamw.hpp"
#include "optim/toy_model.hpp"

namespace couplet::optim {
namespace {

using test::ToyModel;

TEST(Optimizer, ScalesTheLearningRateOfSingleParameters) {
  ToyModel<double> plain, scaled;
  for (auto* model : {&plain, &scaled}) model->fill_values(1);
  const ToyModel<double> before = plain;
  AdamW<double> one(plain, {.weight_decay = 0.1}), two(scaled, {.weight_decay = 0.1});
  two.scale_learning_rates([](std::string_view name) { return name == "mlp.weight" ? 0.25 : 1.0; });
  for (auto* model : {&plain, &scaled}) model->fill_gradients(1);
  one.step(0.01);
  two.step(0.01);
  for (const Index i : {Index{0}, Index{70000}}) {
    const double from = before.weight.value.data()[i];
    EXPECT_NEAR(scaled.weight.value.data()[i] - from, 0.25 * (plain.weight.value.data()[i] - from), 1e-15);
  }
  EXPECT_EQ(plain.bias.value.data()[2], scaled.bias.value.data()[2]);
}

TEST(Optimizer, RefusesFactorsThatAreNoNumbersAndNegativeSteps) {
  ToyModel<double> model;
  AdamW<double> optimizer(model);
  const auto scale_by = [&](double factor) {
    optimizer.scale_learning_rates([=](std::string_view) { return factor; });
  };
  EXPECT_THROW(scale_by(-1), std::invalid_argument);
  EXPECT_THROW(scale_by(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  EXPECT_THROW(scale_by(std::numeric_limits<double>::infinity()), std::invalid_argument);
  EXPECT_THROW(optimizer.set_steps(-1), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
