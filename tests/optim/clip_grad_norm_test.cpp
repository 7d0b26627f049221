#include "couplet/optim/clip_grad_norm.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "optim/toy_model.hpp"

namespace couplet::optim {
namespace {

using test::ToyModel;

long double written_out_norm(ToyModel<float>& model) {
  long double squares = 0;
  model.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    for (Index i = 0; i < parameter.grad.size(); ++i) {
      const long double g = parameter.grad.data()[i];
      squares += g * g;
    }
  });
  return std::sqrt(squares);
}

TEST(GradientNorm, EqualsTheFormulaInLongDouble) {
  ToyModel<float> model;
  model.fill_gradients(1);
  Workspace workspace;
  const GradientNorm found = gradient_norm(model, workspace);
  EXPECT_TRUE(found.finite());
  EXPECT_EQ(found.message(), "");
  EXPECT_NEAR(found.norm, static_cast<double>(written_out_norm(model)), 1e-12 * found.norm);
}

TEST(GradientNorm, HasTheSameBitsForOneAndTwoThreads) {
  ToyModel<float> model;
  model.fill_gradients(2);
  Workspace workspace;
  const double norm = gradient_norm(model, workspace).norm;
  const ThreadLimit one(1);
  EXPECT_EQ(gradient_norm(model, workspace).norm, norm);
}

TEST(GradientNorm, DoesNotOverflowOrVanishInFloat) {
  ToyModel<float> model;
  model.fill_gradients(1, 0);
  model.bias.grad.data()[0] = 3e30F;
  model.bias.grad.data()[1] = 4e30F;
  Workspace workspace;
  EXPECT_NEAR(gradient_norm(model, workspace).norm, 5e30, 1e24);
  model.bias.grad.data()[0] = 3e-40F;  // denormal
  model.bias.grad.data()[1] = 4e-40F;
  EXPECT_NEAR(gradient_norm(model, workspace).norm, 5e-40, 1e-44);
}

TEST(GradientNorm, NamesTheTensorThatIsNotFinite) {
  ToyModel<float> model;
  model.fill_gradients(1);
  model.weight.grad.data()[70'000] = std::numeric_limits<float>::infinity();
  model.bias.grad.data()[3] = std::numeric_limits<float>::quiet_NaN();
  Workspace workspace;
  const GradientNorm found = gradient_norm(model, workspace);
  EXPECT_FALSE(found.finite());
  EXPECT_EQ(found.message(), "2 elements of the gradients are not finite, the first in mlp.weight at index 70000");
}

TEST(GradientNorm, LeavesFrozenParametersOut) {
  ToyModel<float> model;
  model.fill_gradients(1);
  model.weight.trainable = false;
  Workspace workspace;
  const double norm = gradient_norm(model, workspace).norm;
  model.weight.grad.release();
  EXPECT_NEAR(norm, static_cast<double>(written_out_norm(model)), 1e-12 * norm);
}

TEST(ClipCoefficient, IsPyTorchs) {
  EXPECT_EQ(clip_coefficient(0.5, 1), 1);
  EXPECT_EQ(clip_coefficient(0, 1), 1);
  EXPECT_DOUBLE_EQ(clip_coefficient(4, 1), 1 / (4 + 1e-6));
  EXPECT_LT(clip_coefficient(1, 1), 1);
  EXPECT_THROW((void)clip_coefficient(1, 0), std::invalid_argument);
}

TEST(ClipGradNorm, ScalesTheGradientsInPlaceAndReturnsTheNormBefore) {
  ToyModel<double> model;
  model.fill_gradients(3);
  Workspace workspace;
  const double before = gradient_norm(model, workspace).norm;
  const double element = model.weight.grad.data()[123];
  EXPECT_EQ(clip_grad_norm(model, 1.0, workspace).norm, before);
  EXPECT_NEAR(gradient_norm(model, workspace).norm, 1, 1e-6);
  EXPECT_DOUBLE_EQ(model.weight.grad.data()[123], element / (before + 1e-6));
  const double small = model.weight.grad.data()[123];
  (void)clip_grad_norm(model, 5.0, workspace);
  EXPECT_EQ(model.weight.grad.data()[123], small);
}

}  // namespace
}  // namespace couplet::optim
