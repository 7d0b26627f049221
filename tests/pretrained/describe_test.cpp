#include "couplet/pretrained/describe.hpp"

#include <gtest/gtest.h>

#include "couplet/models/presets.hpp"

namespace {

using namespace couplet;

std::string line(const ClipConfig& config, const std::string& name) {
  for (const auto& [key, text] : pretrained::describe_model(config, std::log(100.0), -10.0, sizeof(float))) {
    if (key == name) return text;
  }
  return "";
}

TEST(Describe, Clip) {
  const ClipConfig config = preset("ViT-B-32");
  EXPECT_EQ(line(config, "family"), "CLIP");
  EXPECT_EQ(line(config, "image tower"),
            "12 x 768, 12 heads of 64, MLP 3072, quick_gelu, eps 1e-05, patches of 32, images 224 x 224, 50 tokens, "
            "pooled at the class token");
  EXPECT_EQ(line(config, "text tower"),
            "12 x 512, 8 heads of 64, MLP 2048, quick_gelu, eps 1e-05, causal, 49408 ids, 77 tokens, pooled at the "
            "first id 49407");
  EXPECT_EQ(line(config, "features"), "512, scale 100, no bias");
  EXPECT_EQ(line(config, "parameters"),
            "151,277,313 (image tower 87,849,216, text tower 63,428,096), 605.1 MB in float32");  // open_clip's counts
}

TEST(Describe, ResidualNetworks) {
  const ClipConfig config = preset("RN50x4");
  EXPECT_EQ(line(config, "family"), "CLIP ResNet");
  EXPECT_EQ(line(config, "image tower"),
            "ResNet 4-6-10-6 x 80, relu, batch norm with eps 1e-05, images 288 x 288, attention pooling over 82 "
            "tokens, 40 heads of 64");
  EXPECT_EQ(pretrained::describe_in_short(config),
            "CLIP ResNet, image tower ResNet 4-6-10-6 x 80, text tower 12 x 640, 640 features, activation quick_gelu");
  EXPECT_EQ(pretrained::describe_in_short(preset("ViT-B-32")),
            "CLIP, image tower 12 x 768, text tower 12 x 512, 512 features, activation quick_gelu");
}

TEST(Describe, Coca) {
  const ClipConfig config = as_coca(preset("ViT-B-32"));
  EXPECT_EQ(line(config, "family"), "CoCa");
  EXPECT_NE(line(config, "image tower").find("attentional pooler of 256 queries (the first is used), 8 heads"),
            std::string::npos);
  EXPECT_NE(line(config, "text tower").find("pooled at a class token, padding id 0"), std::string::npos);
}

TEST(Describe, Eva02) {
  ClipConfig config = preset("ViT-B-16");
  config.vision = as_eva02(config.vision);
  EXPECT_EQ(line(config, "family"), "EVA02");
  EXPECT_NE(line(config, "image tower").find("silu, eps 1e-06, rotary positions, gated MLP, inner norms"),
            std::string::npos);
}

TEST(Describe, SiglipAndOpenClipsVariants) {
  const ClipConfig siglip = as_siglip(preset("ViT-B-16"));
  EXPECT_EQ(line(siglip, "family"), "SigLIP");
  EXPECT_NE(line(siglip, "image tower").find("gelu_pytorch_tanh, eps 1e-06"), std::string::npos);
  EXPECT_NE(line(siglip, "image tower").find("attention pooling"), std::string::npos);
  EXPECT_NE(line(siglip, "text tower").find("bidirectional"), std::string::npos);
  EXPECT_EQ(line(siglip, "features"), "768, scale 100, bias -10");
  ClipConfig variant = preset("tiny-32");
  variant.vision.pool = VisionPool::average;
  variant.vision.ls_init_value = 1e-5;
  variant.text.pool = TextPool::argmax;
  EXPECT_NE(line(variant, "image tower").find("LayerScale"), std::string::npos);
  EXPECT_NE(line(variant, "image tower").find("normalised, then averaged"), std::string::npos);
  EXPECT_NE(line(variant, "text tower").find("the first largest id"), std::string::npos);
}

}  // namespace
