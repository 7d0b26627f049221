#include "couplet/optim/adamw.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "optim/toy_model.hpp"

namespace couplet::optim {
namespace {

using test::ToyModel;

/// AdamW as its authors write it, in long double, for one element.
struct AdamWElement {
  long double p;
  long double m = 0;
  long double v = 0;

  void step(int t, long double g, double lr, double decay, const AdamWOptions& o) {
    p -= static_cast<long double>(lr) * decay * p;
    m = o.beta1 * m + (1 - static_cast<long double>(o.beta1)) * g;
    v = o.beta2 * v + (1 - static_cast<long double>(o.beta2)) * g * g;
    const long double m_hat = m / (1 - std::pow(static_cast<long double>(o.beta1), t));
    const long double v_hat = v / (1 - std::pow(static_cast<long double>(o.beta2), t));
    p -= lr * m_hat / (std::sqrt(v_hat) + o.eps);
  }
};

template <class T>
double worst_difference_after(int steps) {
  ToyModel<T> model;
  model.fill_values(1);
  std::map<std::string, std::vector<AdamWElement>, std::less<>> expected;
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    for (Index i = 0; i < parameter.size(); ++i) expected[std::string(name)].push_back({parameter.value.data()[i]});
  });
  AdamW<T> optimizer(model);
  double worst = 0;
  for (int step = 1; step <= steps; ++step) {
    const double lr = 0.01 / step;
    model.fill_gradients(static_cast<std::uint64_t>(step));
    optimizer.step(lr, 0.5);
    model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
      auto& elements = expected.find(name)->second;
      const double decay = has_weight_decay(name, parameter.shape) ? optimizer.options().weight_decay : 0;
      for (std::size_t i = 0; i < elements.size(); ++i) {
        elements[i].step(step, 0.5L * static_cast<long double>(parameter.grad.data()[i]), lr, decay,
                         optimizer.options());
        worst = std::max(worst, static_cast<double>(std::abs(elements[i].p - parameter.value.data()[i])));
      }
    });
  }
  return worst;
}

TEST(AdamW, FollowsTheFormulaInDouble) { EXPECT_LT(worst_difference_after<double>(10), 1e-14); }

TEST(AdamW, FollowsTheFormulaInFloat) { EXPECT_LT(worst_difference_after<float>(10), 3e-6); }

TEST(AdamW, HasTheDefaultsOfOpenClip) {
  ToyModel<float> model;
  const AdamW<float> optimizer(model);
  EXPECT_EQ(optimizer.options().beta1, 0.9);
  EXPECT_EQ(optimizer.options().beta2, 0.98);
  EXPECT_EQ(optimizer.options().eps, 1e-6);
  EXPECT_EQ(optimizer.options().weight_decay, 0.2);
  std::map<std::string, bool> groups;
  optimizer.visit_groups([&](const std::string& name, bool decays) { groups[name] = decays; });
  EXPECT_EQ(
      groups,
      (std::map<std::string, bool>{
          {"mlp.weight", true}, {"mlp.bias", false}, {"visual.positional_embedding", false}, {"logit_scale", false}}));
}

TEST(AdamW, HasTheSameBitsForOneAndTwoThreads) {
  ToyModel<float> models[2];
  for (int run = 0; run < 2; ++run) {
    const ThreadLimit limit(run == 0 ? 1 : 2);
    models[run].fill_values(1);
    AdamW<float> optimizer(models[run]);
    for (std::uint64_t step = 0; step < 3; ++step) {
      models[run].fill_gradients(step);
      optimizer.step(0.01);
    }
  }
  const auto bytes = static_cast<std::size_t>(models[0].weight.size()) * sizeof(float);
  EXPECT_EQ(std::memcmp(models[0].weight.value.data(), models[1].weight.value.data(), bytes), 0);
}

// What an element becomes does not depend on where it stands among the vectors of a kernel.
TEST(AdamW, HasTheSameBitsAtEveryPosition) {
  ToyModel<float> model;
  std::fill_n(model.weight.value.data(), model.weight.size(), 0.37F);
  AdamW<float> optimizer(model);
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    std::fill_n(model.weight.grad.data(), model.weight.size(), 0.011F * static_cast<float>(step + 1));
    optimizer.step(0.01);
  }
  for (Index i = 1; i < model.weight.size(); ++i) {
    ASSERT_EQ(model.weight.value.data()[i], model.weight.value.data()[0]) << i;
  }
}

TEST(AdamW, LeavesFrozenParametersAndTheirDecayAlone) {
  ToyModel<float> model;
  model.fill_values(1);
  model.weight.trainable = false;
  const float before = model.weight.value.data()[5];
  const float bias_before = model.bias.value.data()[5];
  AdamW<float> optimizer(model);
  optimizer.visit_state([&](const std::string& name, const Shape&, TensorView<float, 1>) {
    EXPECT_FALSE(name.starts_with("mlp.weight")) << name;
  });
  optimizer.zero_grad();
  EXPECT_FALSE(model.weight.has_grad());
  model.fill_gradients(1);
  optimizer.step(0.01);
  EXPECT_EQ(model.weight.value.data()[5], before);
  EXPECT_NE(model.bias.value.data()[5], bias_before);

  model.bias.trainable = false;  // frozen later
  const float bias_after = model.bias.value.data()[5];
  optimizer.step(0.01);
  EXPECT_EQ(model.bias.value.data()[5], bias_after);
}

TEST(AdamW, ContinuesWithTheSameBitsFromItsState) {
  ToyModel<float> model;
  model.fill_values(1);
  AdamW<float> optimizer(model);
  model.fill_gradients(1);
  optimizer.step(0.01);

  ToyModel<float> other = model;
  AdamW<float> resumed(other);
  std::vector<std::string> names;
  std::vector<TensorView<float, 1>> state;
  optimizer.visit_state([&](const std::string& name, const Shape& shape, TensorView<float, 1> tensor) {
    EXPECT_EQ(shape.size(), tensor.size()) << name;
    names.push_back(name);
    state.push_back(tensor);
  });
  std::size_t next = 0;
  resumed.visit_state([&](const std::string& name, const Shape&, TensorView<float, 1> tensor) {
    EXPECT_EQ(name, names[next]);
    copy(state[next++], tensor);
  });
  resumed.set_steps(optimizer.steps());
  EXPECT_EQ(names.front(), "mlp.weight.exp_avg");
  EXPECT_EQ(names.back(), "logit_scale.exp_avg_sq");

  model.fill_gradients(2);
  other.fill_gradients(2);
  optimizer.step(0.02);
  resumed.step(0.02);
  const auto bytes = static_cast<std::size_t>(model.weight.size()) * sizeof(float);
  EXPECT_EQ(std::memcmp(model.weight.value.data(), other.weight.value.data(), bytes), 0);
  EXPECT_EQ(resumed.steps(), 2);
}

TEST(AdamW, StaysFiniteWithDenormalAndHugeGradients) {
  ToyModel<float> model;
  model.fill_values(1);
  AdamW<float> optimizer(model);
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_grad();
    float* grad = model.bias.grad.data();
    grad[0] = std::numeric_limits<float>::denorm_min();
    grad[1] = 1e-30F;  // its square vanishes
    grad[2] = 1e18F;   // its square does not overflow
    grad[3] = -0.0F;
    optimizer.step(0.01);
  }
  for (Index i = 0; i < 4; ++i) EXPECT_LT(std::abs(model.bias.value.data()[i]), 10) << i;
  EXPECT_LT(std::abs(model.weight.value.data()[0]), 10);
}

TEST(AdamW, RefusesAModelThatChangedUnderIt) {
  ToyModel<float> model;
  model.weight.trainable = false;
  AdamW<float> optimizer(model);
  try {
    optimizer.step(0.01);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[adamw] mlp.bias has no gradient: call zero_grad() before backward");
  }
  optimizer.zero_grad();
  model.weight.trainable = true;
  EXPECT_THROW(optimizer.step(0.01), std::invalid_argument);
  model.weight.trainable = false;
  EXPECT_NO_THROW(optimizer.step(0.01));
  model.bias.reshape({3});
  EXPECT_THROW(optimizer.step(0.01), std::invalid_argument);
  EXPECT_EQ(optimizer.steps(), 1);
}

TEST(AdamW, RefusesOptionsOutOfRange) {
  ToyModel<float> model;
  EXPECT_THROW(AdamW<float>(model, {.beta1 = 1}), std::invalid_argument);
  EXPECT_THROW(AdamW<float>(model, {.beta2 = -0.1}), std::invalid_argument);
  EXPECT_THROW(AdamW<float>(model, {.eps = -1}), std::invalid_argument);
  EXPECT_THROW(AdamW<float>(model, {.weight_decay = -1}), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
