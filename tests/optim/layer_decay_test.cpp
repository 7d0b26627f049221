#include "couplet/optim/layer_decay.hpp"

#include <gtest/gtest.h>

namespace couplet::optim {
namespace {

TEST(LayerDecay, CountsLayersFromTheOutputOfEachTower) {
  const LayerDecay factor(0.5, 12, 3);
  EXPECT_DOUBLE_EQ(factor("visual.proj.weight"), 1);
  EXPECT_DOUBLE_EQ(factor("visual.ln_post.bias"), 1);
  EXPECT_DOUBLE_EQ(factor("visual.attn_pool.probe"), 1);
  EXPECT_DOUBLE_EQ(factor("visual.transformer.resblocks.11.mlp.c_fc.weight"), 0.5);
  EXPECT_DOUBLE_EQ(factor("visual.transformer.resblocks.1.ln_1.weight"), std::pow(0.5, 11));
  EXPECT_DOUBLE_EQ(factor("visual.conv1.weight"), std::pow(0.5, 13));
  EXPECT_DOUBLE_EQ(factor("visual.ln_pre.weight"), std::pow(0.5, 13));
  EXPECT_DOUBLE_EQ(factor("visual.positional_embedding"), std::pow(0.5, 13));
  EXPECT_DOUBLE_EQ(factor("text_projection.weight"), 1);
  EXPECT_DOUBLE_EQ(factor("transformer.resblocks.2.attn.out_proj.weight"), 0.5);
  EXPECT_DOUBLE_EQ(factor("transformer.resblocks.0.attn.out_proj.weight"), 0.125);
  EXPECT_DOUBLE_EQ(factor("token_embedding.weight"), 0.0625);
  EXPECT_DOUBLE_EQ(factor("cls_emb"), 0.0625);
  EXPECT_DOUBLE_EQ(factor("logit_scale"), 1);
  EXPECT_DOUBLE_EQ(factor("logit_bias"), 1);
}

TEST(LayerDecay, CountsTheFourLayersOfResidualNetworks) {
  const LayerDecay factor(0.5, 4, 3);
  EXPECT_DOUBLE_EQ(factor("visual.attnpool.positional_embedding"), 1);
  EXPECT_DOUBLE_EQ(factor("visual.layer4.1.conv2.weight"), 0.5);
  EXPECT_DOUBLE_EQ(factor("visual.layer1.0.downsample.1.bias"), 1.0 / 16);
  EXPECT_DOUBLE_EQ(factor("visual.conv3.weight"), 1.0 / 32);
  EXPECT_DOUBLE_EQ(factor("visual.bn2.weight"), 1.0 / 32);
}

TEST(LayerDecay, RefusesFactorsOutOfRange) {
  EXPECT_THROW(LayerDecay(0, 2, 2), std::invalid_argument);
  EXPECT_THROW(LayerDecay(1.01, 2, 2), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
