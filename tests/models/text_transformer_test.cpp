#include "couplet/models/text_transformer.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TextConfig small_text(TextPool pool, bool causal = true) {
  TextConfig config;
  config.vocab_size = 20;
  config.context_length = 6;
  config.width = 8;
  config.layers = 2;
  config.heads = 2;
  config.mlp_width = 12;
  config.eps = 1e-3;
  config.activation = Activation::gelu;
  config.pool = pool;
  config.eot_token_id = 19;
  config.causal = causal;
  config.projection_bias = !causal;
  config.pad_token_id = 0;
  return config;
}

Tensor<std::int64_t, 2> some_ids() {
  Tensor<std::int64_t, 2> ids({3, 6});
  const std::int64_t values[] = {18, 3, 19, 19, 19, 19, 18, 19, 19, 19, 19, 19, 18, 7, 3, 3, 11, 19};
  std::copy(std::begin(values), std::end(values), ids.data());
  return ids;
}

class TextTransformerTest : public testing::TestWithParam<std::tuple<TextPool, bool>> {};

TEST_P(TextTransformerTest, GradientsOfEveryParameter) {
  const auto [pool, causal] = GetParam();
  TextTransformer<double> tower(small_text(pool, causal), 6);
  test::randomize(tower, 1);
  const auto ids = some_ids();
  const auto dfeatures = test::random_matrix<double>(3, 6, 3);
  Workspace workspace;
  TextTransformer<double>::Saved saved;
  Tensor<double, 2> features({3, 6});
  const auto loss = [&] {
    tower.prepare();
    tower.forward(ids, features, workspace, &saved);
    return test::inner_product(test::elements(features), test::elements(dfeatures));
  };
  loss();
  nn::zero_grad(tower);
  tower.backward(dfeatures, workspace, saved);
  test::expect_parameter_gradients(tower, loss, 1e-7, 20);
}

INSTANTIATE_TEST_SUITE_P(Pools, TextTransformerTest,
                         testing::Combine(testing::Values(TextPool::eot, TextPool::argmax, TextPool::last),
                                          testing::Bool()));

/// One text ends in padding (it has "padding" inside, too), one fills the context, one is empty.
Tensor<std::int64_t, 2> padded_ids() {
  Tensor<std::int64_t, 2> ids({3, 6});
  const std::int64_t values[] = {18, 0, 7, 19, 0, 0, 18, 3, 5, 3, 11, 19, 18, 19, 0, 0, 0, 0};
  std::copy(std::begin(values), std::end(values), ids.data());
  return ids;
}

class ClassTokenTest : public testing::TestWithParam<bool> {};

TEST_P(ClassTokenTest, GradientsOfEveryParameter) {
  TextTransformer<double> tower(small_text(TextPool::class_token, GetParam()), 6);
  test::randomize(tower, 1);
  const auto ids = padded_ids();
  const auto dfeatures = test::random_matrix<double>(3, 6, 3);
  Workspace workspace;
  TextTransformer<double>::Saved saved;
  Tensor<double, 2> features({3, 6}), inference({3, 6});
  const auto loss = [&] {
    tower.prepare();
    tower.forward(ids, features, workspace, &saved);
    return test::inner_product(test::elements(features), test::elements(dfeatures));
  };
  loss();
  nn::zero_grad(tower);
  tower.backward(dfeatures, workspace, saved);
  tower.forward(ids, inference, workspace);
  EXPECT_TRUE(test::same_bits(inference, features));
  test::expect_parameter_gradients(tower, loss, 1e-7, 60);
  auto again = tower;
  nn::zero_grad(again);
  TextTransformer<double>::Saved inputs;
  inputs.transformer.grad_checkpointing = true;
  again.forward(ids, features, workspace, &inputs);
  again.backward(dfeatures, workspace, inputs);
  EXPECT_TRUE(test::same_bits(again.cls_emb.grad, tower.cls_emb.grad));
  EXPECT_TRUE(test::same_bits(again.token_embedding.grad, tower.token_embedding.grad));
}

TEST_P(ClassTokenTest, WhatLearnsHasTheSameGradientsWhenWhatLiesBelowIsFrozen) {
  TextTransformer<double> whole(small_text(TextPool::class_token, GetParam()), 6);
  test::randomize(whole, 1);
  whole.prepare();
  TextTransformer<double> frozen = whole;
  for (auto* each : {&frozen.token_embedding, &frozen.cls_emb, &frozen.positional_embedding}) each->trainable = false;
  nn::set_trainable(frozen.transformer.resblocks[0], false);
  const auto dfeatures = test::random_matrix<double>(3, 6, 3);
  Workspace workspace;
  TextTransformer<double>::Saved saved;
  Tensor<double, 2> features({3, 6});
  for (auto* tower : {&whole, &frozen}) {
    saved = {};
    nn::zero_grad(*tower);
    tower->forward(padded_ids(), features, workspace, &saved);
    tower->backward(dfeatures, workspace, saved);
    EXPECT_EQ(saved.transformer.resblocks[0].x.size() > 0, tower == &whole);
  }
  EXPECT_TRUE(test::same_bits(whole.transformer.resblocks[1].ln_1.weight.grad,
                              frozen.transformer.resblocks[1].ln_1.weight.grad));
  EXPECT_FALSE(frozen.transformer.resblocks[0].ln_1.weight.has_grad());
  EXPECT_FALSE(frozen.token_embedding.has_grad());
}

INSTANTIATE_TEST_SUITE_P(CausalOrNot, ClassTokenTest, testing::Bool());

/// open_clip's mask: what follows a padding token is hidden, the class token of a padded text from itself.
TEST(TextTransformer, AClassTokenSeesAllButWhatFollowsPadding) {
  TextTransformer<double> tower(small_text(TextPool::class_token), 6);
  test::randomize(tower, 1);
  tower.prepare();
  const auto ids = padded_ids();
  Workspace workspace;
  TextTransformer<double>::Saved saved;
  Tensor<double, 2> before({3, 6}), after({3, 6});
  tower.forward(ids, before, workspace, &saved);
  EXPECT_EQ(saved.places, (std::vector<Index>{0, 1, 3, 4, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 6}));
  EXPECT_EQ(saved.key_ends, (std::vector<Index>{4, 12, 15}));
  EXPECT_EQ(saved.pooled, (std::vector<Index>{4, 11, 15}));
  for (Index t = 0; t < 6; ++t) {
    auto changed = padded_ids();
    changed(0, t) = changed(0, t) == 0 ? 0 : 9;
    tower.forward(changed, after, workspace);
    EXPECT_EQ(test::same_bits(before[0], after[0]), t == 1 || t == 2 || t > 3) << t;  // 7 is hidden by the 0 before it
    EXPECT_TRUE(test::same_bits(before[1], after[1]));
  }
}

TEST(TextTransformer, AClassTokenWantsTextsOfFullLength) {
  TextTransformer<double> tower(small_text(TextPool::class_token), 6);
  tower.prepare();
  Workspace workspace;
  Tensor<double, 2> features({1, 6});
  EXPECT_THROW(tower.forward(Tensor<std::int64_t, 2>({1, 5}), features, workspace), std::invalid_argument);
  EXPECT_NO_THROW(tower.forward(Tensor<std::int64_t, 2>({1, 6}), features, workspace));
}

TEST(TextTransformer, WhatFollowsThePooledTokenCountsInABidirectionalTower) {
  TextTransformer<double> tower(small_text(TextPool::eot, false), 6);
  test::randomize(tower, 1);
  tower.prepare();
  auto ids = some_ids();
  Workspace workspace;
  Tensor<double, 2> before({3, 6});
  Tensor<double, 2> after({3, 6});
  tower.forward(ids, before, workspace);
  ids(1, 5) = 7;
  tower.forward(ids, after, workspace);
  EXPECT_TRUE(test::same_bits(before[0], after[0]));
  EXPECT_FALSE(test::same_bits(before[1], after[1]));
}

TEST(TextTransformer, WhatFollowsTheEndOfTextChangesNothing) {
  TextTransformer<float> tower(small_text(TextPool::eot), 6);
  std::uint64_t seed = 0;
  tower.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.3);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
  tower.prepare();
  auto ids = some_ids();
  Workspace workspace;
  Tensor<float, 2> padded({3, 6});
  Tensor<float, 2> garbage({3, 6});
  tower.forward(ids, padded, workspace);
  ids(0, 4) = 7;
  ids(1, 3) = 0;
  tower.forward(ids, garbage, workspace);
  EXPECT_TRUE(test::same_bits(padded, garbage));
}

TEST(TextTransformer, TextsWithoutAnEndOrWithUnknownIdsAreRefusedByNumber) {
  TextTransformer<double> tower(small_text(TextPool::eot), 6);
  tower.prepare();
  Workspace workspace;
  Tensor<double, 2> features({3, 6});
  const auto message = [&](const Tensor<std::int64_t, 2>& ids) -> std::string {
    try {
      tower.forward(ids, features, workspace);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  auto no_end = some_ids();
  for (Index t = 0; t < 6; ++t) no_end(1, t) = 1;
  EXPECT_NE(message(no_end).find("text 1 has no end-of-text token"), std::string::npos);
  auto unknown = some_ids();
  unknown(2, 1) = 20;
  EXPECT_NE(message(unknown).find("token id 20 of text 2"), std::string::npos);
  unknown(2, 1) = -1;
  EXPECT_NE(message(unknown).find("token id -1 of text 2"), std::string::npos);
}

TEST(TextTransformer, SiglipTextsMustHaveFullLength) {
  TextTransformer<double> tower(small_text(TextPool::last, false), 6);
  tower.prepare();
  Workspace workspace;
  Tensor<double, 2> features({1, 6});
  const Tensor<std::int64_t, 2> shorter({1, 5});
  EXPECT_THROW(tower.forward(shorter, features, workspace), std::invalid_argument);
  const Tensor<std::int64_t, 2> full({1, 6});
  EXPECT_NO_THROW(tower.forward(full, features, workspace));
}

}  // namespace
