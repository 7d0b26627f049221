#include "couplet/optim/weight_decay.hpp"

#include <gtest/gtest.h>

namespace couplet::optim {
namespace {

TEST(WeightDecay, ActsOnMatricesAndConvolutions) {
  EXPECT_TRUE(has_weight_decay("transformer.resblocks.0.attn.in_proj_weight", {96, 32}));
  EXPECT_TRUE(has_weight_decay("visual.conv1.weight", {32, 3, 8, 8}));
  EXPECT_TRUE(has_weight_decay("token_embedding.weight", {49408, 512}));
  EXPECT_TRUE(has_weight_decay("text_projection", {32, 16}));
}

TEST(WeightDecay, SparesGainsBiasesAndScalars) {
  EXPECT_FALSE(has_weight_decay("ln_final.weight", {32}));
  EXPECT_FALSE(has_weight_decay("transformer.resblocks.0.attn.in_proj_bias", {96}));
  EXPECT_FALSE(has_weight_decay("logit_scale", Shape{}));
  EXPECT_FALSE(has_weight_decay("logit_bias", {1}));
}

TEST(WeightDecay, SparesPositionAndClassEmbeddingsByName) {
  EXPECT_FALSE(has_weight_decay("positional_embedding", {77, 512}));
  EXPECT_FALSE(has_weight_decay("visual.positional_embedding", {50, 768}));
  EXPECT_FALSE(has_weight_decay("vision_model.embeddings.position_embedding.weight", {50, 768}));
  EXPECT_FALSE(has_weight_decay("visual.class_embedding", {1, 768}));
}

}  // namespace
}  // namespace couplet::optim
