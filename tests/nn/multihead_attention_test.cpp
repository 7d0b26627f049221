#include "couplet/nn/multihead_attention.hpp"

#include <array>

#include "couplet/nn/row_blocks.hpp"
#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(MultiheadAttention, RefusesWidthsThatDoNotDivide) {
  EXPECT_THROW((nn::MultiheadAttention<double>(10, 3)), std::invalid_argument);
  EXPECT_THROW((nn::MultiheadAttention<double>(10, 0)), std::invalid_argument);
}

TEST(MultiheadAttention, SelfAttentionGradientsOverRaggedSequences) {
  const std::array<Index, 4> offsets{0, 3, 4, 9};
  const Sequences sequences(offsets);
  for (const bool causal : {false, true}) {
    nn::MultiheadAttention<double> attn(8, 2);
    test::randomize(attn, 1);
    auto x = test::random_matrix<double>(9, 8, 2);
    const auto dy = test::random_matrix<double>(9, 8, 3);
    Workspace workspace;
    nn::MultiheadAttention<double>::Saved saved;
    saved.resize(9, 9, 8, 2);
    Tensor<double, 2> y({9, 8});
    const auto loss = [&] {
      attn.prepare();
      y.fill(0);
      const ops::Operand<double> operand(x.view());
      attn.forward(operand, sequences, operand, sequences, causal, y, workspace, &saved);
      return test::inner_product(test::elements(y), test::elements(dy));
    };
    loss();
    nn::zero_grad(attn);
    Tensor<double, 2> dxq({9, 8});
    Tensor<double, 2> dx({9, 8});
    attn.backward(dy, x, sequences, x, sequences, causal, dxq, dx, workspace, saved);
    for (Index i = 0; i < dx.size(); ++i) dx.data()[i] += dxq.data()[i];
    test::expect_parameter_gradients(attn, loss);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  }
}

/// EVA02: rotary positions, a norm of the heads' outputs, no bias of keys.
TEST(MultiheadAttention, GradientsWithRotaryPositions) {
  const std::array<Index, 4> offsets{0, 3, 4, 9};
  const Sequences sequences(offsets);
  nn::MultiheadAttention<double> attn(8, 2);
  attn.set_rotary(std::make_shared<const nn::RotaryPositions<double>>(nn::Grid{2, 2}, 4), 1e-3);
  test::randomize(attn, 1);
  auto x = test::random_matrix<double>(9, 8, 2);
  const auto dy = test::random_matrix<double>(9, 8, 3);
  Workspace workspace;
  nn::MultiheadAttention<double>::Saved saved;
  saved.resize(9, 9, 8, 2);
  Tensor<double, 2> y({9, 8}), inference({9, 8});
  const ops::Operand<double> operand(x.view());
  const auto loss = [&] {
    attn.prepare();
    y.fill(0);
    attn.forward(operand, sequences, operand, sequences, false, y, workspace, &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  attn.forward(operand, sequences, operand, sequences, false, inference, workspace, nullptr);
  EXPECT_TRUE(test::same_bits(inference, y));
  nn::zero_grad(attn);
  Tensor<double, 2> dxq({9, 8}), dx({9, 8});
  attn.backward(dy, x, sequences, x, sequences, false, dxq, dx, workspace, saved);
  for (Index i = 0; i < dx.size(); ++i) dx.data()[i] += dxq.data()[i];
  EXPECT_EQ(attn.in_proj_bias.size(), 16);
  test::expect_parameter_gradients(attn, loss, 1e-7, 40);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx), 1e-7, 80));
}

TEST(MultiheadAttention, OneQueryPerSequence) {
  const std::array<Index, 3> offsets{0, 3, 8};
  const Sequences keys(offsets);
  nn::MultiheadAttention<double> attn(8, 4);
  test::randomize(attn, 1);
  auto xq = test::random_matrix<double>(2, 8, 2);
  auto x = test::random_matrix<double>(8, 8, 3);
  const auto dy = test::random_matrix<double>(2, 8, 4);
  Workspace workspace;
  Workspace::Scope scope(workspace);
  const Sequences queries = nn::one_row_each(2, workspace);
  nn::MultiheadAttention<double>::Saved saved;
  saved.resize(2, 8, 8, 4);
  Tensor<double, 2> y({2, 8});
  const auto loss = [&] {
    attn.prepare();
    y.fill(0);
    attn.forward(ops::Operand<double>(xq.view()), queries, ops::Operand<double>(x.view()), keys, false, y, workspace,
                 &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(attn);
  Tensor<double, 2> dxq({2, 8});
  Tensor<double, 2> dx({8, 8});
  attn.backward(dy, xq, queries, x, keys, false, dxq, dx, workspace, saved);
  test::expect_parameter_gradients(attn, loss);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(xq), test::elements(dxq)));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

}  // namespace
