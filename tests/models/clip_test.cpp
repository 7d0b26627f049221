#include "couplet/models/clip.hpp"

#include <gtest/gtest.h>

#include <set>

#include "couplet/models/initialize.hpp"
#include "couplet/models/interpolate.hpp"
#include "couplet/models/presets.hpp"
#include "support/expect_near.hpp"

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

TEST(Clip, PackedWeightsAloneAreEnoughForInference) {
  for (const char* name : {"tiny-32", "tiny-RN-64"}) {
    Clip<float> kept(preset(name));
    initialize(kept, 1);
    Clip<float> only = kept;
    const Index count = nn::count_parameters(kept);
    const VisionConfig& v = kept.config().vision;
    Tensor<float, 4> pixels({2, 3, v.image_height, v.image_width});
    pixels.fill(0.5F);
    Tensor<float, 2> expected({2, kept.embed_dim()}), features({2, kept.embed_dim()});
    Workspace workspace;
    for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
      kept.prepare(precision);
      Clip<float> packed = kept;
      packed.prepare(precision, nn::Packing::only);
      EXPECT_EQ(packed.packing(), nn::Packing::only);
      kept.encode_image(pixels, expected, workspace);
      packed.encode_image(pixels, features, workspace);
      EXPECT_TRUE(test::same_bits(features, expected)) << name;
      EXPECT_EQ(nn::count_parameters(packed), count);
      packed.prepare();  // changes nothing
      EXPECT_THROW(packed.prepare(precision), std::invalid_argument);
      EXPECT_THROW(packed.prepare(precision, nn::Packing::at_use), std::invalid_argument);
      EXPECT_EQ(packed.packing(), nn::Packing::only);
      packed.encode_image(pixels, features, workspace);
      EXPECT_TRUE(test::same_bits(features, expected)) << name;
    }
  }
}

TEST(Clip, PackedWeightsAloneCannotBeTrainedOrMixed) {
  Clip<float> whole(preset("tiny-32"));
  initialize(whole, 1);
  Clip<float> packed = whole, unchanged = whole;
  packed.prepare(Precision::float32, nn::Packing::only);
  EXPECT_THROW(nn::zero_grad(packed), std::invalid_argument);
  EXPECT_THROW(initialize(packed, 2), std::invalid_argument);
  EXPECT_THROW(interpolate_weights(packed, whole, 0.5), std::invalid_argument);
  EXPECT_THROW(interpolate_weights(whole, packed, 0.5), std::invalid_argument);
  EXPECT_TRUE(test::same_bits(whole.text.token_embedding.value, unchanged.text.token_embedding.value));
  EXPECT_TRUE(test::same_bits(whole.visual.transformer().class_embedding.value,
                              unchanged.visual.transformer().class_embedding.value));
  Tensor<float, 4> pixels({2, 3, 32, 32});
  pixels.fill(0.5F);
  Tensor<float, 2> features({2, packed.embed_dim()});
  Workspace workspace;
  ImageTower<float>::Saved saved;
  packed.visual.forward(pixels, features, workspace, &saved);
  EXPECT_THROW(packed.visual.backward(features, workspace, saved), std::invalid_argument);
}

}  // namespace
