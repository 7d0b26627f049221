#include "couplet/nn/attentional_pooler.hpp"

#include <array>
#include <set>

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

constexpr std::array<Index, 4> some_offsets{0, 3, 4, 9};

/// Tokens of `token_width`, 3 queries of width 8.
void expect_pooler_gradients(Index token_width) {
  nn::AttentionalPooler<double> pooler(token_width, 8, 2, 3);
  test::randomize(pooler, 1);
  const Sequences sequences(some_offsets);
  auto x = test::random_matrix<double>(9, token_width, 2);
  const auto dy = test::random_matrix<double>(3, 8, 3);
  Workspace workspace;
  nn::AttentionalPooler<double>::Saved saved;
  Tensor<double, 2> y({3, 8});
  const auto loss = [&] {
    pooler.prepare();
    pooler.forward(x, sequences, y, workspace, &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(pooler);
  Tensor<double, 2> dx({9, token_width});
  dx.fill(7);  // assigned
  pooler.backward(dy, sequences, dx, workspace, saved);
  test::expect_parameter_gradients(pooler, loss, 1e-7, 30);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx), 1e-7, 100));
  for (Index c = 0; c < 8; ++c) EXPECT_NE(pooler.query.grad_matrix()(0, c), 0.0);
  for (Index c = 0; c < 16; ++c) EXPECT_EQ(pooler.query.grad.data()[8 + c], 0.0);
}

TEST(AttentionalPooler, GradientsOverTokensOfAnotherWidth) { expect_pooler_gradients(6); }
TEST(AttentionalPooler, GradientsOverTokensOfItsWidth) { expect_pooler_gradients(8); }

TEST(AttentionalPooler, NamesItsWeightsAsPyTorchDoes) {
  const auto names = [](Index token_width) {
    nn::AttentionalPooler<double> pooler(token_width, 8, 2, 3);
    std::set<std::string> all;
    pooler.visit_parameters([&](std::string_view name, Parameter<double>&) { all.emplace(name); });
    return all;
  };
  EXPECT_TRUE(names(8).contains("attn.in_proj_weight"));
  EXPECT_FALSE(names(6).contains("attn.in_proj_weight"));
  for (const char* name : {"query", "attn.q_proj_weight", "attn.kv_proj_weight", "attn.in_proj_bias", "ln_k.bias"}) {
    EXPECT_TRUE(names(6).contains(name)) << name;
  }
}

TEST(AttentionalPooler, InferenceAndTrainingGiveTheSameBits) {
  nn::AttentionalPooler<double> pooler(6, 8, 2, 3);
  test::randomize(pooler, 1);
  pooler.prepare();
  const auto x = test::random_matrix<double>(9, 6, 2);
  Workspace workspace;
  nn::AttentionalPooler<double>::Saved saved;
  Tensor<double, 2> training({3, 8}), inference({3, 8});
  pooler.forward(x, Sequences(some_offsets), training, workspace, &saved);
  pooler.forward(x, Sequences(some_offsets), inference, workspace, nullptr);
  EXPECT_TRUE(test::same_bits(training, inference));
}

}  // namespace
