#include "couplet/nn/residual_attention_block.hpp"

#include <array>

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;
using Block = nn::ResidualAttentionBlock<double>;

constexpr std::array<Index, 4> block_offsets{0, 3, 4, 9};
constexpr std::array<Index, 3> block_last_rows{2, 3, 8};

Block random_block(bool layer_scale = false) {
  Block block(8, 2, 12, Activation::gelu, 1e-3, layer_scale);
  test::randomize(block, 1);
  return block;
}

/// Without and with LayerScale.
class ResidualAttentionBlockTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(LayerScale, ResidualAttentionBlockTest, testing::Bool());

TEST_P(ResidualAttentionBlockTest, GradientsOfAllParametersAndTheInput) {
  Block block = random_block(GetParam());
  const Sequences sequences(block_offsets);
  auto input = test::random_matrix<double>(9, 8, 2);
  const auto dy = test::random_matrix<double>(9, 8, 3);
  for (const bool causal : {false, true}) {
    Workspace workspace;
    Block::Saved saved;
    saved.resize(block, 9, 9);
    Tensor<double, 2> x;
    const auto loss = [&] {
      block.prepare();
      x = input;
      block.forward(block.packed(workspace), x, {0, 0, sequences}, causal, workspace, &saved);
      return test::inner_product(test::elements(x), test::elements(dy));
    };
    loss();
    nn::zero_grad(block);
    Tensor<double, 2> dx = dy;
    block.backward(dx, sequences, causal, workspace, saved);
    test::expect_parameter_gradients(block, loss);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(input), test::elements(dx)));
  }
}

TEST_P(ResidualAttentionBlockTest, PooledGradients) {
  Block block = random_block(GetParam());
  const Sequences sequences(block_offsets);
  auto x = test::random_matrix<double>(9, 8, 2);
  const auto dy = test::random_matrix<double>(3, 8, 3);
  Workspace workspace;
  Block::Saved saved;
  saved.resize(block, 9, 3);
  Tensor<double, 2> y({3, 8});
  const auto loss = [&] {
    block.prepare();
    block.forward_pooled(block.packed(workspace), x, {0, 0, sequences}, block_last_rows, y, workspace, &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(block);
  Tensor<double, 2> dy_scratch = dy;
  Tensor<double, 2> dx({9, 8});
  block.backward_pooled(dy_scratch, sequences, block_last_rows, dx, workspace, saved);
  test::expect_parameter_gradients(block, loss);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

TEST_P(ResidualAttentionBlockTest, PoolingComputesTheSameRowsAsTheWholeBlock) {
  Block block = random_block(GetParam());
  block.prepare();
  const Sequences sequences(block_offsets);
  const auto input = test::random_matrix<double>(9, 8, 2);
  Workspace workspace;
  Tensor<double, 2> whole = input;
  block.forward(block.packed(workspace), whole, {0, 0, sequences}, true, workspace, nullptr);
  Tensor<double, 2> pooled({3, 8});
  block.forward_pooled(block.packed(workspace), input, {0, 0, sequences}, block_last_rows, pooled, workspace, nullptr);
  for (Index i = 0; i < 3; ++i) {
    for (Index c = 0; c < 8; ++c)
      EXPECT_NEAR(pooled(i, c), whole(block_last_rows[static_cast<std::size_t>(i)], c), 1e-13);
  }
}

TEST(ResidualAttentionBlock, FactorsOfZeroMakeTheBlockTheIdentity) {
  Block block = random_block(true);
  block.prepare();
  for (auto* scale : {&block.ls_1, &block.ls_2}) std::fill_n(scale->gamma.value.data(), 8, 0.0);
  const Sequences sequences(block_offsets);
  const auto input = test::random_matrix<double>(9, 8, 2);
  Workspace workspace;
  Tensor<double, 2> x = input;
  block.forward(block.packed(workspace), x, {0, 0, sequences}, true, workspace, nullptr);
  EXPECT_TRUE(test::same_bits(x, input));
}

}  // namespace
