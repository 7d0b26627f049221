#include "couplet/nn/module.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "couplet/nn/mlp.hpp"

namespace {

using namespace couplet;

static_assert(nn::Module<nn::Mlp<float>>);

TEST(Module, VisitsParametersUnderTheirFullNames) {
  nn::Mlp<double> mlp(4, 8, Activation::gelu);
  std::vector<std::string> names;
  nn::visit_child("mlp.", mlp, [&](std::string_view name, Parameter<double>&) { names.emplace_back(name); });
  EXPECT_EQ(names,
            (std::vector<std::string>{"mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias"}));
  EXPECT_EQ(nn::count_parameters(mlp), 4 * 8 + 8 + 8 * 4 + 4);
}

TEST(Module, FreezesAndThaws) {
  nn::Mlp<double> mlp(4, 8, Activation::gelu);
  nn::zero_grad(mlp);
  EXPECT_TRUE(nn::any_trainable(mlp));
  nn::set_trainable(mlp, false);
  EXPECT_FALSE(nn::any_trainable(mlp));
  EXPECT_FALSE(mlp.c_fc.weight.has_grad());
  nn::zero_grad(mlp);
  EXPECT_FALSE(mlp.c_fc.weight.has_grad());
  nn::set_trainable(mlp, true);
  nn::zero_grad(mlp);
  EXPECT_TRUE(mlp.c_fc.weight.has_grad());
}

}  // namespace
