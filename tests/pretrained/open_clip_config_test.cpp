#include "couplet/pretrained/open_clip_config.hpp"

#include <gtest/gtest.h>

#include "couplet/pretrained/parameters.hpp"
#include "pretrained/written_checkpoint.hpp"

namespace {

using namespace couplet;

pretrained::OpenClipModel parse_model(const std::string& text) {
  const test::TemporaryDirectory folder;
  return pretrained::parse_open_clip_model(text, "open_clip_config.json", test::zeros(folder, {{"a", {1}}}));
}

std::string config(const std::string& vision, const std::string& text = "", const std::string& model = "") {
  return R"({"model_cfg": {"embed_dim": 512, )" + model + R"("vision_cfg": {)" + vision + R"(}, "text_cfg": {)" + text +
         "}}}";
}

std::string open_clip_message(const std::string& text) {
  try {
    (void)parse_model(text);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

TEST(OpenClipConfig, AbsentKeysTakeTheDefaultsOfOpenClip) {
  const ClipConfig c = parse_model(config("")).config;
  EXPECT_EQ(c.vision.image_height, 224);
  EXPECT_EQ(c.vision.patch_size, 16);
  EXPECT_EQ(c.vision.heads, 12);
  EXPECT_EQ(c.vision.mlp_width, 3072);
  EXPECT_EQ(c.vision.activation, Activation::gelu);
  EXPECT_EQ(c.vision.eps, 1e-5);
  EXPECT_EQ(c.vision.pool, VisionPool::class_token);
  EXPECT_TRUE(c.vision.ln_pre);
  EXPECT_EQ(c.text.context_length, 77);
  EXPECT_EQ(c.text.heads, 8);
  EXPECT_EQ(c.text.pool, TextPool::argmax);
  EXPECT_TRUE(c.text.causal);
  EXPECT_FALSE(c.init_logit_bias);
  EXPECT_NEAR(c.init_logit_scale, std::log(1 / 0.07), 1e-12);
}

TEST(OpenClipConfig, ReadsEveryKeyThatChangesTheModel) {
  const ClipConfig c = parse_model(config(R"("image_size": [24, 40], "layers": 3, "width": 24, "head_width": 8,
      "patch_size": 8, "mlp_ratio": 3.4, "ls_init_value": 1e-5, "no_ln_pre": true, "pool_type": "avg",
      "final_ln_after_pool": true, "norm_kwargs": {"eps": 0.001}, "act_kwargs": {"approximate": "tanh"})",
                                          R"("vocab_size": 100, "no_causal_mask": true, "proj_bias": true,
      "pool_type": "eos", "eos_id": 7, "ls_init_value": 0.5)",
                                          R"("init_logit_bias": -10, "init_logit_scale": 2.3, )"))
                           .config;
  EXPECT_EQ(c.vision.image_height, 24);
  EXPECT_EQ(c.vision.image_width, 40);
  EXPECT_EQ(c.vision.mlp_width, 81);  // int(24 * 3.4)
  EXPECT_EQ(c.vision.heads, 3);
  EXPECT_EQ(c.vision.ls_init_value, 1e-5);
  EXPECT_FALSE(c.vision.ln_pre);
  EXPECT_EQ(c.vision.pool, VisionPool::average);
  EXPECT_TRUE(c.vision.ln_after_pool);
  EXPECT_EQ(c.vision.eps, 1e-3);
  EXPECT_EQ(c.vision.activation, Activation::gelu_tanh);
  EXPECT_EQ(c.text.activation, Activation::gelu);
  EXPECT_FALSE(c.text.causal);
  EXPECT_TRUE(c.text.projection_bias);
  EXPECT_EQ(c.text.pool, TextPool::eot);
  EXPECT_EQ(c.text.eot_token_id, 7);
  EXPECT_EQ(c.text.ls_init_value, 0.5);
  EXPECT_EQ(c.init_logit_bias, -10.0);
  EXPECT_EQ(c.init_logit_scale, 2.3);
  EXPECT_EQ(parse_model(config("", "", R"("quick_gelu": true, )")).config.text.activation, Activation::quick_gelu);
}

TEST(OpenClipConfig, RefusesWhatWouldBeAnotherModelByKeyAndValue) {
  const auto refused = [](const std::string& text, const std::string& key, const std::string& value) {
    const std::string message = open_clip_message(text);
    EXPECT_NE(message.find("model_cfg." + key), std::string::npos) << message;
    EXPECT_NE(message.find(value), std::string::npos) << message;
  };
  refused(config(R"("layers": [3, 4, 6])"), "vision_cfg.layers", "4 layers");
  refused(config(R"("layers": [3, 4, 6, 0])"), "vision_cfg.layers[3]", "0");
  refused(config(R"("layers": [3, 4, 6, 3], "ls_init_value": 0.1)"), "vision_cfg.ls_init_value", "0.1");
  refused(config(R"("attentional_pool": "cascade")"), "vision_cfg.attentional_pool", "cascade");
  refused(config(R"("attentional_pool": true, "pool_type": "avg")"), "vision_cfg.pool_type", "avg");
  refused(config(R"("layers": [3, 4, 6, 3], "attentional_pool": true)"), "vision_cfg.attentional_pool", "true");
  refused(config(R"("qk_norm": true)"), "vision_cfg.qk_norm", "true");
  refused(config(R"("pos_embed_type": "sin_cos_2d")"), "vision_cfg.pos_embed_type", "sin_cos_2d");
  refused(config(R"("pool_type": "none")"), "vision_cfg.pool_type", "none");
  refused(config(R"("timm_model_name": "convnext_base")"), "vision_cfg.timm_model_name", "convnext_base");
  refused(config(R"("norm_kwargs": {"elementwise_affine": 1})"), "vision_cfg.norm_kwargs.elementwise_affine", "1");
  refused(config("", R"("hf_model_name": "roberta-base")"), "text_cfg.hf_model_name", "roberta-base");
  refused(config("", R"("correct_cls_mask": true)"), "text_cfg.correct_cls_mask", "true");
  refused(config("", R"("proj_type": "none")"), "text_cfg.proj_type", "none");
  refused(config("", R"("pool_type": "first")"), "text_cfg.pool_type", "first");
  refused(config("", "", R"("multimodal_cfg": 3, )"), "multimodal_cfg", "expected an object");
  refused(config("", R"("act_kwargs": {"approximate": "tanh"})", R"("quick_gelu": true, )"), "text_cfg.act_kwargs",
          "QuickGELU");
  EXPECT_NE(open_clip_message("{}").find("model_cfg"), std::string::npos);
  EXPECT_EQ(open_clip_message(config(R"("qk_norm": false, "attentional_pool": false, "patch_dropout": 0.5)")), "");
}

/// coca_ViT-L-14.json of open_clip.
TEST(OpenClipConfig, ReadsTheContrastiveHalfOfCoca) {
  const auto model = parse_model(R"({"model_cfg": {"embed_dim": 768, "vision_cfg": {"image_size": 224, "layers": 24,
      "width": 1024, "patch_size": 14, "attentional_pool": true, "attn_pooler_heads": 8, "output_tokens": true},
      "text_cfg": {"context_length": 76, "vocab_size": 49408, "width": 768, "heads": 12, "layers": 12,
      "embed_cls": true, "output_tokens": true}, "multimodal_cfg": {"context_length": 76, "vocab_size": 49408,
      "width": 768, "heads": 12, "layers": 12, "attn_pooler_heads": 12}, "custom_text": true}})");
  const ClipConfig& c = model.config;
  EXPECT_TRUE(model.caption_decoder);
  EXPECT_EQ(c.vision.pool, VisionPool::attentional_pooler);
  EXPECT_EQ(c.vision.pooler_queries, 256);
  EXPECT_EQ(c.vision.pooler_heads, 8);
  EXPECT_EQ(c.vision.pooled_width(768), 768);
  EXPECT_EQ(c.text.pool, TextPool::class_token);
  EXPECT_EQ(c.text.pad_token_id, 0);
  EXPECT_EQ(c.text.positions(), 77);
  // 638.45 million of open_clip's model_profile.csv, less the decoder's: 12 blocks of self-attention, 12 of
  // cross-attention with one norm more, a norm and a projection to the vocabulary.
  const Index block = 12 * 768 * 768 + 13 * 768;
  const Index decoder = 12 * (2 * block + 2 * 768) + 2 * 768 + 768 * 49408;
  EXPECT_NEAR(static_cast<double>(pretrained::parameter_count(c) + decoder) / 1e6, 638.45, 0.005);
  EXPECT_FALSE(parse_model(config("")).caption_decoder);
}

TEST(OpenClipConfig, AListOfLayersIsAResidualNetwork) {
  const ClipConfig c =
      parse_model(config(R"("image_size": 288, "layers": [4, 6, 10, 6], "width": 80, "patch_size": null)", "",
                         R"("quick_gelu": true, )"))
          .config;
  EXPECT_TRUE(c.vision.is_resnet());
  EXPECT_EQ(*c.vision.resnet_layers, (std::array<Index, 4>{4, 6, 10, 6}));
  EXPECT_EQ(c.vision.width, 80);
  EXPECT_EQ(c.vision.heads, 40);
  EXPECT_EQ(c.vision.tokens(), 82);
  EXPECT_EQ(c.text.activation, Activation::quick_gelu);
  EXPECT_NE(open_clip_message(config(R"("layers": [1, 1, 1, 1], "image_size": 100)")).find("multiples of 32"),
            std::string::npos);
  EXPECT_NE(open_clip_message(config(R"("layers": [1, 1, 1, 1], "width": 131072)")).find("width"), std::string::npos);
}

TEST(OpenClipConfig, RefusesNonsenseInNumbers) {
  for (const char* value : {"-1", "1.5", "\"768\"", "true", "2147483648", "18446744073709551616", "[768]"}) {
    EXPECT_NE(open_clip_message(config(R"("width": )" + std::string(value))).find("width"), std::string::npos) << value;
  }
  EXPECT_NE(open_clip_message(config(R"("width": 32)")).find("heads must be positive"), std::string::npos);
  EXPECT_NE(open_clip_message(config(R"("image_size": [224])")).find("expected [height, width]"), std::string::npos);
  EXPECT_NE(open_clip_message(config(R"("mlp_ratio": 0)")).find("mlp_ratio"), std::string::npos);
}

TEST(OpenClipConfig, TellsAboutTheTokenizer) {
  const auto model =
      parse_model(config("", R"("hf_tokenizer_name": "bert", "tokenizer_kwargs": {"clean": "canonicalize"})"));
  EXPECT_EQ(model.hf_tokenizer_name, "bert");
  EXPECT_EQ(model.clean, "canonicalize");
}

}  // namespace
