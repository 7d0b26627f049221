#include "couplet/optim/lion.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "optim/toy_model.hpp"

namespace couplet::optim {
namespace {

using test::ToyModel;

/// Program 1 of the paper in double, element by element.
TEST(Lion, FollowsTheFormula) {
  ToyModel<double> model;
  model.fill_values(1);
  const LionOptions o{.beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.7};
  Lion<double> optimizer(model, o);
  struct Element {
    double p, m = 0;
  };
  std::map<std::string, std::vector<Element>, std::less<>> expected;
  model.visit_parameters([&](std::string_view name, Parameter<double>& parameter) {
    for (Index i = 0; i < parameter.size(); ++i) expected[std::string(name)].push_back({parameter.value.data()[i]});
  });
  for (int step = 1; step <= 5; ++step) {
    const double lr = 0.01 / step;
    model.fill_gradients(static_cast<std::uint64_t>(step));
    if (step == 1) model.bias.grad.data()[3] = 0;  // the sign of 0 is 0
    optimizer.step(lr, 0.5);
    model.visit_parameters([&](std::string_view name, Parameter<double>& parameter) {
      auto& elements = expected.find(name)->second;
      const double decay = has_weight_decay(name, parameter.shape) ? o.weight_decay : 0;
      for (std::size_t i = 0; i < elements.size(); ++i) {
        auto& [p, m] = elements[i];
        const double g = 0.5 * parameter.grad.data()[i];
        const double c = o.beta1 * m + (1 - o.beta1) * g;
        p = p * (1 - lr * decay) - lr * (c > 0 ? 1 : c < 0 ? -1 : 0);
        m = o.beta2 * m + (1 - o.beta2) * g;
        ASSERT_NEAR(parameter.value.data()[i], p, 1e-14) << name << ' ' << i << ", step " << step;
      }
    });
  }
  EXPECT_EQ(optimizer.steps(), 5);
}

TEST(Lion, HasTheSameBitsForOneAndTwoThreadsAndOneStateTensor) {
  ToyModel<float> models[2];
  for (int threads = 1; threads <= 2; ++threads) {
    const ThreadLimit limit(threads);
    ToyModel<float>& model = models[threads - 1];
    model.fill_values(3);
    Lion<float> optimizer(model);
    for (std::uint64_t step = 1; step <= 3; ++step) {
      model.fill_gradients(step);
      optimizer.step(1e-3);
    }
    int tensors = 0;
    optimizer.visit_state([&](const std::string& name, const Shape&, TensorView<float, 1>) {
      EXPECT_TRUE(name.ends_with(".exp_avg"));
      ++tensors;
    });
    EXPECT_EQ(tensors, 4);
  }
  const auto bytes = static_cast<std::size_t>(models[0].weight.size()) * sizeof(float);
  EXPECT_EQ(std::memcmp(models[0].weight.value.data(), models[1].weight.value.data(), bytes), 0);
}

TEST(Lion, RefusesOptionsOutOfRange) {
  ToyModel<float> model;
  EXPECT_THROW(Lion<float>(model, {.beta1 = 1}), std::invalid_argument);
  EXPECT_THROW(Lion<float>(model, {.beta2 = -0.1}), std::invalid_argument);
  EXPECT_THROW(Lion<float>(model, {.weight_decay = -1}), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
