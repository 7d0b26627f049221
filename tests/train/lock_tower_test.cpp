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

TEST(LockImageTower, UnlockedGroupsGetTheGradientsTheyAlwaysGot) {
  ClipConfig config = locked_config();
  VisionTransformer<float> whole(config.vision, config.embed_dim);
  std::uint64_t seed = 0;
  whole.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.2);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
  whole.prepare();
  VisionTransformer<float> locked = whole;
  train::lock_image_tower(locked, 2);
  const auto pixels = test::random_tensor<float, 4>({3, 3, 32, 32}, 5);
  const auto dfeatures = test::random_tensor<float, 2>({3, config.embed_dim}, 6);
  Tensor<float, 2> features({3, config.embed_dim});
  Workspace workspace;
  for (auto* tower : {&whole, &locked}) {
    VisionTransformer<float>::Saved saved;
    nn::zero_grad(*tower);
    tower->forward(pixels, features, workspace, &saved);
    tower->backward(dfeatures, workspace, saved);
  }
  EXPECT_TRUE(test::same_bits(whole.proj.weight.grad, locked.proj.weight.grad));
  EXPECT_TRUE(test::same_bits(whole.ln_post.weight.grad, locked.ln_post.weight.grad));
  std::vector<Parameter<float>*> expected;
  whole.visit_parameters([&](std::string_view, Parameter<float>& parameter) { expected.push_back(&parameter); });
  std::size_t i = 0;
  locked.visit_parameters([&](std::string_view name, Parameter<float>& parameter) {
    const Parameter<float>& same = *expected[i++];
    if (parameter.trainable) {
      EXPECT_TRUE(test::same_bits(same.grad, parameter.grad)) << name;
    } else {
      EXPECT_FALSE(parameter.has_grad()) << name;
    }
  });
}

}  // namespace
