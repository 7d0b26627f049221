#include "couplet/nn/transformer.hpp"

#include <array>
#include <vector>

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

constexpr std::array<Index, 4> offsets{0, 3, 4, 9};
constexpr std::array<Index, 3> last_rows{2, 3, 8};

TEST(Transformer, GradientsThroughSeveralLayers) {
  nn::Transformer<double> transformer(8, 3, 2, 12, Activation::quick_gelu, 1e-3, true);
  test::randomize(transformer, 1);
  const Sequences sequences(offsets);
  auto input = test::random_matrix<double>(9, 8, 2);
  const auto dy = test::random_matrix<double>(9, 8, 3);
  Workspace workspace;
  nn::Transformer<double>::Saved saved;
  Tensor<double, 2> x;
  const auto loss = [&] {
    transformer.prepare();
    x = input;
    transformer.forward(x, sequences, workspace, &saved);
    return test::inner_product(test::elements(x), test::elements(dy));
  };
  loss();
  nn::zero_grad(transformer);
  Tensor<double, 2> dx = dy;
  transformer.backward(dx, sequences, workspace, saved);
  test::expect_parameter_gradients(transformer, loss, 1e-7, 4);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(input), test::elements(dx), 1e-7));
}

/// Copies of all gradients of a block, as they were when the backward pass left it.
class KeepGradients final : public nn::BlockObserver<double> {
 public:
  void on_gradients(nn::ResidualAttentionBlock<double>& block) override {
    blocks.push_back(&block);
    gradients.emplace_back(gradients_of(block));
  }
  static std::vector<double> gradients_of(nn::ResidualAttentionBlock<double>& block) {
    std::vector<double> all;
    block.visit_parameters([&](std::string_view, Parameter<double>& p) {
      all.insert(all.end(), p.grad.data(), p.grad.data() + p.grad.size());
    });
    return all;
  }
  std::vector<nn::ResidualAttentionBlock<double>*> blocks;
  std::vector<std::vector<double>> gradients;
};

TEST(Transformer, TellsAnObserverOfEachBlockWhenItsGradientsAreFinal) {
  for (const bool checkpointing : {false, true}) {
    nn::Transformer<double> transformer(8, 3, 2, 12, Activation::gelu, 1e-3, false);
    test::randomize(transformer, 1);
    transformer.prepare();
    nn::zero_grad(transformer);
    const Sequences sequences(offsets);
    Tensor<double, 2> x = test::random_matrix<double>(9, 8, 2), dy = test::random_matrix<double>(3, 8, 3);
    Tensor<double, 2> y({3, 8}), dx({9, 8});
    Workspace workspace;
    KeepGradients observer;
    nn::Transformer<double>::Saved saved;
    saved.grad_checkpointing = checkpointing;
    saved.observer = &observer;
    transformer.forward_pooled(x, sequences, last_rows, y, workspace, &saved);
    transformer.backward_pooled(dy, sequences, last_rows, dx, workspace, saved);
    ASSERT_EQ(observer.blocks.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(observer.blocks[i], &transformer.resblocks[2 - i]);
      EXPECT_EQ(observer.gradients[i], KeepGradients::gradients_of(*observer.blocks[i]));
    }
  }
}

TEST(Transformer, PooledGradientsAndNoLayersAtAll) {
  for (const Index layers : {0, 1, 2}) {
    nn::Transformer<double> transformer(8, layers, 2, 12, Activation::gelu, 1e-3, false);
    test::randomize(transformer, 1);
    const Sequences sequences(offsets);
    auto input = test::random_matrix<double>(9, 8, 2);
    const auto dy = test::random_matrix<double>(3, 8, 3);
    Workspace workspace;
    nn::Transformer<double>::Saved saved;
    Tensor<double, 2> y({3, 8});
    const auto loss = [&] {
      transformer.prepare();
      Tensor<double, 2> x = input;
      transformer.forward_pooled(x, sequences, last_rows, y, workspace, &saved);
      return test::inner_product(test::elements(y), test::elements(dy));
    };
    loss();
    nn::zero_grad(transformer);
    Tensor<double, 2> dy_scratch = dy;
    Tensor<double, 2> dx({9, 8});
    transformer.backward_pooled(dy_scratch, sequences, last_rows, dx, workspace, saved);
    test::expect_parameter_gradients(transformer, loss, 1e-7, 4);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(input), test::elements(dx), 1e-7));
  }
}

TEST(Transformer, BlocksBelowTheFirstSaveNothingAndHearOfNothing) {
  nn::Transformer<double> transformer(8, 3, 2, 12, Activation::gelu, 1e-3, false);
  test::randomize(transformer, 1);
  transformer.prepare();
  EXPECT_EQ(transformer.first_trainable(), 0U);
  nn::set_trainable(transformer.resblocks[0], false);
  nn::set_trainable(transformer.resblocks[2], false);
  EXPECT_EQ(transformer.first_trainable(), 1U);
  nn::set_trainable(transformer, false);
  EXPECT_EQ(transformer.first_trainable(), 3U);
  nn::set_trainable(transformer, true);
  nn::zero_grad(transformer);
  const Sequences sequences(offsets);
  Tensor<double, 2> x = test::random_matrix<double>(9, 8, 2), dx = test::random_matrix<double>(9, 8, 3);
  Workspace workspace;
  KeepGradients observer;
  nn::Transformer<double>::Saved saved;
  saved.first = 2;
  saved.observer = &observer;
  transformer.forward(x, sequences, workspace, &saved);
  transformer.backward(dx, sequences, workspace, saved);
  EXPECT_EQ(saved.resblocks[1].x.size(), 0);
  EXPECT_GT(saved.resblocks[2].x.size(), 0);
  EXPECT_EQ(observer.blocks, std::vector{&transformer.resblocks[2]});
  EXPECT_EQ(KeepGradients::gradients_of(transformer.resblocks[1]),
            std::vector<double>(static_cast<std::size_t>(nn::count_parameters(transformer.resblocks[1]))));
}

nn::Transformer<float> random_transformer(bool causal) {
  nn::Transformer<float> transformer(48, 3, 3, 80, Activation::gelu, 1e-5, causal, true);
  std::uint64_t seed = 0;
  transformer.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.2);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
  return transformer;
}

/// Everything that a forward and a backward pass give.
std::vector<float> run(nn::Transformer<float>& transformer, bool pooled, bool grad_checkpointing) {
  std::vector<Index> bounds{0};
  std::vector<Index> rows;
  for (const Index length : {150, 90, 1, 200, 64}) {
    bounds.push_back(bounds.back() + length);
    rows.push_back(bounds.back() - 1);
  }
  const Sequences sequences(bounds);
  Workspace workspace;
  nn::Transformer<float>::Saved saved;
  saved.grad_checkpointing = grad_checkpointing;
  auto x = test::random_matrix<float>(sequences.rows(), 48, 9);
  Tensor<float, 2> y({5, 48}), dx({sequences.rows(), 48});
  nn::zero_grad(transformer);
  if (pooled) {
    transformer.forward_pooled(x, sequences, rows, y, workspace, &saved);
    auto dy = test::random_matrix<float>(5, 48, 10);
    transformer.backward_pooled(dy, sequences, rows, dx, workspace, saved);
  } else {
    transformer.forward(x, sequences, workspace, &saved);
    dx = test::random_matrix<float>(sequences.rows(), 48, 10);
    transformer.backward(dx, sequences, workspace, saved);
  }
  EXPECT_EQ(saved.resblocks.empty(), grad_checkpointing);
  std::vector<float> all;
  for (const auto* each : {pooled ? &y : &x, &dx}) all.insert(all.end(), each->data(), each->data() + each->size());
  transformer.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    all.insert(all.end(), parameter.grad.data(), parameter.grad.data() + parameter.size());
  });
  return all;
}

TEST(Transformer, SameBitsWhenWeightsArePackedAtUseAndWhenBlocksRunAgain) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    for (const bool pooled : {false, true}) {
      nn::Transformer<float> transformer = random_transformer(pooled);
      transformer.prepare(precision);
      const std::vector<float> expected = run(transformer, pooled, false);
      EXPECT_TRUE(run(transformer, pooled, true) == expected);
      transformer.prepare(precision, nn::Packing::at_use);
      EXPECT_TRUE(run(transformer, pooled, false) == expected);
      EXPECT_TRUE(run(transformer, pooled, true) == expected);
      // Packed at use, a weight that changes needs no prepare().
      transformer.resblocks[1].attn.in_proj_weight.value.data()[0] += 1;
      EXPECT_FALSE(run(transformer, pooled, false) == expected);
    }
  }
}

TEST(Transformer, SameBitsWhateverTheBatchAndTheThreads) {
  nn::Transformer<float> transformer = random_transformer(true);
  transformer.prepare();
  std::vector<Index> many{0};
  for (const Index length : {5, 90, 1, 33, 200, 7, 64, 17, 150}) many.push_back(many.back() + length);
  const Sequences sequences(many);
  const auto input = test::random_matrix<float>(sequences.rows(), 48, 9);
  Workspace workspace;
  Tensor<float, 2> batch = input;
  transformer.forward(batch, sequences, workspace, nullptr);
  const ThreadLimit one_thread(1);
  for (Index s = 0; s < sequences.count(); ++s) {
    const std::array<Index, 2> alone{0, sequences.length(s)};
    Tensor<float, 2> x({sequences.length(s), 48});
    copy<const float, float>(input.view().slice(sequences.begin(s), sequences.end(s)), x.view());
    transformer.forward(x, Sequences(alone), workspace, nullptr);
    EXPECT_EQ(std::memcmp(x.data(), &batch(sequences.begin(s), 0), static_cast<std::size_t>(x.size()) * sizeof(float)),
              0)
        << "sequence " << s;
  }
}

}  // namespace
