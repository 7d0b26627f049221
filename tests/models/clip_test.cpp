#include "couplet/models/clip.hpp"

#include <gtest/gtest.h>

#include <set>

#include "couplet/models/presets.hpp"

namespace {

using namespace couplet;

std::set<std::string> names(Clip<float>& model) {
  std::set<std::string> all;
  model.visit_parameters([&](std::string_view name, Parameter<float>&) { all.emplace(name); });
  return all;
}

TEST(Clip, NamesItsParametersAsOpenClipDoes) {
  Clip<float> clip(preset("tiny-32"));
  const auto all = names(clip);
  for (const char* name :
       {"visual.conv1.weight", "visual.class_embedding", "visual.positional_embedding", "visual.ln_pre.weight",
        "visual.transformer.resblocks.0.attn.in_proj_weight", "visual.transformer.resblocks.2.mlp.c_proj.bias",
        "token_embedding.weight", "positional_embedding", "transformer.resblocks.1.ln_2.bias", "ln_final.weight",
        "logit_scale"}) {
    EXPECT_TRUE(all.contains(name)) << name;
  }
  EXPECT_FALSE(all.contains("logit_bias"));
  EXPECT_NEAR(clip.log_scale(), 2.65926, 1e-5);
  EXPECT_EQ(clip.bias(), 0.0F);
}

TEST(Clip, SiglipHasABiasAPoolAndNoClassToken) {
  Clip<float> siglip(as_siglip(preset("tiny-32")));
  const auto all = names(siglip);
  EXPECT_TRUE(all.contains("logit_bias"));
  EXPECT_TRUE(all.contains("visual.attn_pool.probe"));
  EXPECT_TRUE(all.contains("visual.conv1.bias"));
  EXPECT_TRUE(all.contains("text_projection.bias"));
  EXPECT_FALSE(all.contains("visual.class_embedding"));
  EXPECT_FALSE(all.contains("visual.proj.weight"));
  EXPECT_EQ(siglip.bias(), -10.0F);
}

TEST(Clip, RefusesAConfigurationThatCannotBeBuilt) {
  ClipConfig config = preset("tiny-32");
  config.vision.heads = 5;
  EXPECT_THROW(Clip<float>{config}, std::invalid_argument);
}

}  // namespace
