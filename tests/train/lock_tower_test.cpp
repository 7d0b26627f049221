#include "couplet/train/lock_tower.hpp"

#include <gtest/gtest.h>

#include <set>

#include "couplet/models/config.hpp"
#include "couplet/models/presets.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

ClipConfig locked_config(bool siglip = false) {
  ClipConfig config = preset("tiny-32");
  config.vision.layers = 3;
  config.vision.width = 16;
  config.vision.heads = 2;
  config.vision.mlp_width = 32;
  return siglip ? as_siglip(config) : config;
}

/// The beginnings of the names of what learns, up to the number of a block.
std::set<std::string> learning(VisionTransformer<float>& tower) {
  std::set<std::string> names;
  tower.visit_parameters([&](std::string_view name, Parameter<float>& parameter) {
    if (!parameter.trainable) return;
    const std::size_t from = name.starts_with("transformer.") ? 22 : 0;
    names.insert(std::string(name.substr(0, name.find('.', from))));
  });
  return names;
}

/// open_clip: groups[-n:] of [[conv1, class_embedding, positional_embedding, ln_pre], blocks[0], ..., [blocks[-1],
/// ln_post], proj].
TEST(LockImageTower, UnlocksOpenClipsGroupsFromTheEnd) {
  ClipConfig config = locked_config();
  VisionTransformer<float> tower(config.vision, config.embed_dim);
  EXPECT_EQ(train::lock_groups(tower), 5);
  std::set<std::string> expected;
  train::lock_image_tower(tower, 0);
  EXPECT_EQ(learning(tower), expected);
  const std::set<std::string> groups[] = {{"proj"},
                                          {"transformer.resblocks.2", "ln_post"},
                                          {"transformer.resblocks.1"},
                                          {"transformer.resblocks.0"},
                                          {"conv1", "class_embedding", "positional_embedding", "ln_pre"}};
  for (Index n = 1; n <= 5; ++n) {
    expected.insert(groups[n - 1].begin(), groups[n - 1].end());
    train::lock_image_tower(tower, n);
    EXPECT_EQ(learning(tower), expected) << n;
  }
  EXPECT_THROW(train::lock_image_tower(tower, 6), std::invalid_argument);
  EXPECT_THROW(train::lock_image_tower(tower, -1), std::invalid_argument);
}

TEST(LockImageTower, ResidualNetworksAreLockedWholly) {
  const ClipConfig config = preset("tiny-RN-64");
  ImageTower<float> tower(config.vision, config.embed_dim);
  EXPECT_THROW(train::lock_image_tower(tower, 1), std::invalid_argument);
  EXPECT_TRUE(nn::any_trainable(tower));
  train::lock_image_tower(tower, 0);
  EXPECT_FALSE(nn::any_trainable(tower));
  ImageTower<float> transformer(locked_config().vision, locked_config().embed_dim);
  train::lock_image_tower(transformer, 1);
  EXPECT_EQ(learning(transformer.transformer()), std::set<std::string>{"proj"});
}

TEST(LockImageTower, TheLastGroupOfSiglipIsItsAttentionPool) {
  ClipConfig config = locked_config(true);
  VisionTransformer<float> tower(config.vision, config.embed_dim);
  train::lock_image_tower(tower, 1);
  EXPECT_EQ(learning(tower), std::set<std::string>{"attn_pool"});
}

TEST(LockImageTower, TheLastGroupOfCocaHasItsPooler) {
  const ClipConfig config = as_coca(locked_config());
  VisionTransformer<float> tower(config.vision, config.embed_dim);
  train::lock_image_tower(tower, 1);
  EXPECT_EQ(learning(tower), (std::set<std::string>{"attn_pool", "proj"}));
}

VisionTransformer<float> random_tower(const ClipConfig& config) {
  VisionTransformer<float> tower(config.vision, config.embed_dim);
  std::uint64_t seed = 0;
  tower.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.2);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
  tower.prepare();
  return tower;
}

/// One forward and one backward pass: gradients, and what the forward pass saved.
VisionTransformer<float>::Saved run_tower(VisionTransformer<float>& tower, bool grad_checkpointing) {
  const auto pixels = test::random_tensor<float, 4>({3, 3, 32, 32}, 5);
  const auto dfeatures = test::random_tensor<float, 2>({3, tower.embed_dim()}, 6);
  Tensor<float, 2> features({3, tower.embed_dim()});
  Workspace workspace;
  VisionTransformer<float>::Saved saved;
  saved.transformer.grad_checkpointing = grad_checkpointing;
  nn::zero_grad(tower);
  tower.forward(pixels, features, workspace, &saved);
  tower.backward(dfeatures, workspace, saved);
  return saved;
}

/// Which blocks have saved something.
std::vector<bool> blocks_saved(const VisionTransformer<float>::Saved& saved) {
  std::vector<bool> saves;
  for (const auto& block : saved.transformer.resblocks) saves.push_back(block.x.size() + block.mid.size() > 0);
  for (const auto& input : saved.transformer.inputs) saves.push_back(input.size() > 0);
  return saves;
}

class UnlockedGroups : public testing::TestWithParam<bool> {};

TEST_P(UnlockedGroups, GetTheGradientsTheyAlwaysGotAndNothingBelowIsSaved) {
  const bool grad_checkpointing = GetParam();
  for (const ClipConfig& config : {locked_config(), locked_config(true), as_coca(locked_config())}) {
    VisionTransformer<float> whole = random_tower(config);
    EXPECT_EQ(blocks_saved(run_tower(whole, grad_checkpointing)), std::vector<bool>(3, true));
    std::vector<Parameter<float>*> expected;
    whole.visit_parameters([&](std::string_view, Parameter<float>& parameter) { expected.push_back(&parameter); });
    for (Index n = 1; n <= train::lock_groups(whole); ++n) {
      VisionTransformer<float> locked = whole;
      train::lock_image_tower(locked, n);
      const VisionTransformer<float>::Saved saved = run_tower(locked, grad_checkpointing);
      EXPECT_EQ(blocks_saved(saved), (std::vector<bool>{n >= 4, n >= 3, n >= 2})) << n;
      EXPECT_EQ(saved.embedded.size() > 0, n == 5 && config.vision.ln_pre) << n;
      EXPECT_EQ(saved.conv1.pixels.size() > 0, n == 5) << n;
      std::size_t i = 0;
      locked.visit_parameters([&](std::string_view name, Parameter<float>& parameter) {
        const Parameter<float>& same = *expected[i++];
        if (parameter.trainable) {
          EXPECT_TRUE(test::same_bits(same.grad, parameter.grad)) << n << ' ' << name;
        } else {
          EXPECT_FALSE(parameter.has_grad()) << n << ' ' << name;
        }
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutGradCheckpointing, UnlockedGroups, testing::Bool());

/// A block in the middle that is frozen lets gradients through to those below.
TEST(LockImageTower, FrozenBlocksAboveLearningOnesStillRunBackward) {
  VisionTransformer<float> whole = random_tower(locked_config());
  VisionTransformer<float> locked = whole;
  (void)run_tower(whole, false);
  train::lock_image_tower(locked, 0);
  nn::set_trainable(locked.transformer.resblocks[1], true);
  EXPECT_EQ(blocks_saved(run_tower(locked, false)), (std::vector<bool>{false, true, true}));
  EXPECT_TRUE(test::same_bits(whole.transformer.resblocks[1].mlp.c_fc.weight.grad,
                              locked.transformer.resblocks[1].mlp.c_fc.weight.grad));
  EXPECT_FALSE(locked.transformer.resblocks[2].mlp.c_fc.weight.has_grad());
  nn::set_trainable(locked.transformer.resblocks[1], false);
  locked.class_embedding.trainable = true;
  EXPECT_EQ(blocks_saved(run_tower(locked, false)), std::vector<bool>(3, true));
  EXPECT_TRUE(test::same_bits(whole.class_embedding.grad, locked.class_embedding.grad));
}

}  // namespace
