#include "couplet/pretrained/open_clip_config_writer.hpp"

#include <gtest/gtest.h>

#include "couplet/image/preprocessor_config.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/pretrained/open_clip_config.hpp"
#include "pretrained/written_checkpoint.hpp"

namespace {

using namespace couplet;

ClipConfig again(const ClipConfig& config, const image::TransformConfig& transform = {}) {
  const test::TemporaryDirectory folder;
  return pretrained::parse_open_clip_model(pretrained::open_clip_config(config, transform), "c.json",
                                           test::zeros(folder, {{"a", {1}}}))
      .config;
}

ClipConfig unusual_config() {
  ClipConfig config = preset("tiny-32");
  config.init_logit_bias = -10;
  config.init_logit_scale = 2.25;
  config.vision.image_width = 48;
  config.vision.mlp_width = 81;
  config.vision.width = 24;
  config.vision.heads = 3;
  config.vision.ln_pre = false;
  config.vision.pool = VisionPool::average;
  config.vision.ln_after_pool = true;
  config.vision.ls_init_value = 1e-5;
  config.vision.activation = Activation::gelu;
  config.vision.eps = 1e-3;
  config.text.activation = Activation::gelu_tanh;
  config.text.causal = false;
  config.text.projection_bias = true;
  config.text.pool = TextPool::eot;
  config.text.eot_token_id = 5;
  return config;
}

TEST(OpenClipConfigWriter, WritesWhatIsRead) {
  ClipConfig coca = as_coca(preset("ViT-B-32"));
  coca.vision.pooler_heads = 4;
  coca.vision.pooler_queries = 7;
  coca.text.pad_token_id = 3;
  for (const ClipConfig& config :
       {preset("ViT-B-32"), preset("ViT-L-14-336"), preset("RN50x4"), unusual_config(), coca}) {
    const ClipConfig read = again(config);
    EXPECT_EQ(read.embed_dim, config.embed_dim);
    EXPECT_EQ(read.init_logit_scale, config.init_logit_scale);
    EXPECT_EQ(read.init_logit_bias, config.init_logit_bias);
    EXPECT_EQ(read.vision.image_height, config.vision.image_height);
    EXPECT_EQ(read.vision.image_width, config.vision.image_width);
    EXPECT_EQ(read.vision.mlp_width, config.vision.mlp_width);
    EXPECT_EQ(read.vision.resnet_layers, config.vision.resnet_layers);
    EXPECT_EQ(read.vision.width, config.vision.width);
    EXPECT_EQ(read.vision.heads, config.vision.heads);
    EXPECT_EQ(read.vision.ln_pre, config.vision.ln_pre);
    EXPECT_EQ(read.vision.pool, config.vision.pool);
    EXPECT_EQ(read.vision.pooler_heads, config.vision.pooler_heads);
    EXPECT_EQ(read.vision.pooler_queries, config.vision.pooler_queries);
    EXPECT_EQ(read.text.has_class_token(), config.text.has_class_token());
    if (config.text.has_class_token()) {
      EXPECT_EQ(read.text.pad_token_id, config.text.pad_token_id);
    }
    EXPECT_EQ(read.vision.ln_after_pool, config.vision.ln_after_pool);
    EXPECT_EQ(read.vision.ls_init_value, config.vision.ls_init_value);
    EXPECT_EQ(read.vision.activation, config.vision.activation);
    EXPECT_EQ(read.vision.eps, config.vision.eps);
    EXPECT_EQ(read.text.activation, config.text.activation);
    EXPECT_EQ(read.text.causal, config.text.causal);
    EXPECT_EQ(read.text.projection_bias, config.text.projection_bias);
    EXPECT_EQ(read.text.eot_token_id, config.text.eot_token_id);
    EXPECT_EQ(read.text.vocab_size, config.text.vocab_size);
    EXPECT_EQ(read.text.pool == TextPool::last, config.text.pool == TextPool::last);
  }
}

TEST(OpenClipConfigWriter, NamesEva02TowersAsTimmDoes) {
  ClipConfig config = preset("ViT-B-16");
  config.text.activation = Activation::gelu;
  config.vision.mlp_width = 2048;
  config.vision = as_eva02(config.vision);
  EXPECT_EQ(pretrained::open_clip_obstacle(config), "");
  const std::string text = pretrained::open_clip_config(config, image::TransformConfig{});
  for (const char* part : {R"("timm_model_name": "eva02_base_patch16_clip_224")", R"("timm_pool": "token")",
                           R"("timm_proj": null)", R"("custom_text": true)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  config.vision.layers = 2;
  EXPECT_NE(pretrained::open_clip_obstacle(config).find("fixed sizes"), std::string::npos);
}

TEST(OpenClipConfigWriter, EveryMlpWidthHasARatio) {
  for (Index width = 1; width < 400; width += 7) {
    for (Index mlp = 1; mlp < 4 * width; mlp += 13) {
      const double ratio = pretrained::detail::mlp_ratio(width, mlp);
      ASSERT_EQ(static_cast<Index>(static_cast<double>(width) * ratio), mlp) << width;
    }
  }
}

TEST(OpenClipConfigWriter, KeepsTheTransform) {
  image::TransformConfig squash = image::open_clip_transform_config({24, 40}, image::ResizeMode::squash);
  squash.image_mean = squash.image_std = {0.5, 0.25, 0.125};
  squash.resample = image::Filter::bilinear;
  for (const auto& transform : {image::open_clip_transform_config({32, 32}), squash}) {
    const std::string text = pretrained::open_clip_config(preset("tiny-32"), transform);
    EXPECT_EQ(image::parse_open_clip_config(io::JsonField(io::Json::parse(text, "c.json"), "c.json")), transform);
  }
}

TEST(OpenClipConfigWriter, NamesWhatTheLayoutCannotHold) {
  EXPECT_EQ(pretrained::open_clip_obstacle(unusual_config()), "");
  EXPECT_NE(pretrained::open_clip_obstacle(as_siglip(preset("tiny-32"))).find("timm"), std::string::npos);
  ClipConfig mixed = preset("tiny-32");
  mixed.text.activation = Activation::gelu;
  EXPECT_NE(pretrained::open_clip_obstacle(mixed).find("quick_gelu"), std::string::npos);
  ClipConfig resnet = preset("RN50");
  EXPECT_EQ(pretrained::open_clip_obstacle(resnet), "");
  resnet.vision.image_width = 256;
  EXPECT_NE(pretrained::open_clip_obstacle(resnet).find("square"), std::string::npos);
  resnet = preset("RN50");
  resnet.vision.eps = 1e-3;
  EXPECT_NE(pretrained::open_clip_obstacle(resnet).find("batch norm"), std::string::npos);
  image::TransformConfig crop = image::clip_transform_config(224);
  EXPECT_EQ(pretrained::open_clip_obstacle(crop), "");
  crop.size = {256, 256};
  EXPECT_NE(pretrained::open_clip_obstacle(crop).find("cropped"), std::string::npos);
  image::TransformConfig nearest = image::clip_transform_config(224);
  nearest.resample = image::Filter::nearest;
  EXPECT_NE(pretrained::open_clip_obstacle(nearest).find("bicubic or bilinear"), std::string::npos);
}

}  // namespace
