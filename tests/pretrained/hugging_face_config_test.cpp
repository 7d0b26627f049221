#include "couplet/pretrained/hugging_face_config.hpp"

#include <gtest/gtest.h>

#include "couplet/models/presets.hpp"

namespace {

using namespace couplet;

ClipConfig parse(const std::string& text) { return pretrained::parse_hugging_face_config(text, "config.json"); }

std::string message_of(const std::string& text) {
  try {
    (void)parse(text);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

/// A configuration with one value of vision_config changed.
std::string with_vision(const std::string& member) {
  return R"({"model_type": "clip", "vision_config": {)" + member + "}}";
}

TEST(HuggingFaceConfig, AbsentKeysTakeTheDefaultsOfTransformers) {
  const ClipConfig clip = parse(R"({"model_type": "clip"})");
  EXPECT_EQ(clip.vision.patch_size, 32);
  EXPECT_EQ(clip.vision.activation, Activation::quick_gelu);
  EXPECT_EQ(clip.text.width, 512);
  EXPECT_EQ(clip.text.eot_token_id, 49407);
  EXPECT_EQ(clip.embed_dim, 512);
  const ClipConfig siglip = parse(R"({"model_type": "siglip"})");
  EXPECT_EQ(siglip.vision.patch_size, 16);
  EXPECT_EQ(siglip.vision.eps, 1e-6);
  EXPECT_EQ(siglip.text.context_length, 64);
  EXPECT_EQ(siglip.text.pool, TextPool::last);
  EXPECT_EQ(siglip.embed_dim, 768);
}

TEST(HuggingFaceConfig, TheEndOfTextQuirk) {
  const auto eos2 = [](const std::string& vocabulary) {
    return parse(R"({"model_type": "clip", "text_config": {"eos_token_id": 2, "vocab_size": )" + vocabulary + "}}");
  };
  EXPECT_EQ(eos2("49408").text.eot_token_id, 49407);
  EXPECT_EQ(eos2("49408").text.pool, TextPool::eot);
  EXPECT_EQ(eos2("49410").text.eot_token_id, 49407);  // tokens were added
  EXPECT_EQ(eos2("300").text.pool, TextPool::argmax);
}

TEST(HuggingFaceConfig, LegacySectionsWin) {
  const ClipConfig config = parse(R"({"model_type": "clip", "vision_config": {"patch_size": 32},
                                      "vision_config_dict": {"patch_size": 16}})");
  EXPECT_EQ(config.vision.patch_size, 16);
}

TEST(HuggingFaceConfig, RefusesOtherFamiliesAndUnknownActivationsByName) {
  EXPECT_NE(message_of(R"({"model_type": "align"})").find("model_type: \"align\" is not supported"), std::string::npos);
  EXPECT_NE(message_of(R"({})").find("model_type"), std::string::npos);
  EXPECT_NE(message_of(with_vision(R"("hidden_act": "swish")")).find("vision_config.hidden_act"), std::string::npos);
  EXPECT_NE(message_of(with_vision(R"("attention_dropout": 0.1)")).find("dropout"), std::string::npos);
}

// reliability.md 1d: every field with every kind of nonsense is refused by name.
TEST(HuggingFaceConfig, RefusesNonsenseInEveryNumber) {
  const char* keys[] = {"hidden_size",         "intermediate_size", "num_hidden_layers",
                        "num_attention_heads", "image_size",        "patch_size"};
  const char* values[] = {"-1",
                          "2147483648",
                          "9007199254740993",
                          "18446744073709551616",
                          "1e999",
                          "1.5",
                          "\"768\"",
                          "true",
                          "[768]",
                          "{\"a\": 1}",
                          "-0"};
  for (const char* key : keys) {
    for (const char* value : values) {
      const std::string message = message_of(with_vision("\"" + std::string(key) + "\": " + value));
      EXPECT_NE(message, "") << key << ": " << value;
      EXPECT_NE(message.find("config.json"), std::string::npos) << message;
    }
    if (std::string(key) != "num_hidden_layers") {
      EXPECT_NE(message_of(with_vision("\"" + std::string(key) + "\": 0")).find(key), std::string::npos) << key;
    }
  }
  for (const char* value : {"0", "-1", "1e30", "\"x\"", "NaN"}) {
    EXPECT_NE(message_of(with_vision("\"layer_norm_eps\": " + std::string(value))), "") << value;
  }
}

TEST(HuggingFaceConfig, RefusesContradictions) {
  EXPECT_NE(message_of(with_vision(R"("num_attention_heads": 7)")).find("does not divide into 7 heads"),
            std::string::npos);
  EXPECT_NE(message_of(with_vision(R"("patch_size": 300)")).find("larger than the image"), std::string::npos);
  EXPECT_NE(message_of(R"({"model_type": "siglip", "text_config": {"projection_size": 5}})").find("projection_size"),
            std::string::npos);
  EXPECT_NE(message_of(R"({"model_type": "clip", "model_type": "clip"})"), "");
  EXPECT_NE(message_of(std::string(100000, '[')), "");
}

TEST(HuggingFaceConfig, NaflexHasANumberOfPatches) {
  const auto naflex = [](const std::string& patches) {
    return R"({"model_type": "siglip2", "vision_config": {"patch_size": 4)" + patches + "}}";
  };
  const ClipConfig config = parse(naflex(R"(, "num_patches": 16)"));
  EXPECT_TRUE(config.vision.flexible());
  EXPECT_EQ(config.vision.tokens(), 16);
  EXPECT_EQ(config.vision.max_patches, 16);
  EXPECT_EQ(parse(naflex("")).vision.max_patches, 256);
  EXPECT_NE(message_of(naflex(R"(, "num_patches": 15)")).find("num_patches: expected the square"), std::string::npos);
  const ClipConfig again = parse(pretrained::hugging_face_config(config, "float32"));
  EXPECT_TRUE(again.vision.flexible());
  EXPECT_EQ(again.vision.tokens(), 16);
}

TEST(HuggingFaceConfig, NamesWhatTheLayoutCannotHold) {
  const ClipConfig clip = preset("tiny-32");
  EXPECT_EQ(pretrained::hugging_face_obstacle(clip), "");
  EXPECT_EQ(pretrained::hugging_face_obstacle(as_siglip(clip)), "");
  const auto obstacle = [&](auto&& change) {
    ClipConfig changed = clip;
    change(changed);
    return pretrained::hugging_face_obstacle(changed);
  };
  EXPECT_NE(obstacle([](ClipConfig& c) { c.vision.image_width = 64; }).find("square"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.text.ls_init_value = 1; }).find("LayerScale"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.vision = preset("RN50").vision; }).find("residual"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.vision.pool = VisionPool::average; }).find("pooled"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.vision.ln_pre = false; }).find("structure"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.text.causal = false; }).find("causal"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.text.projection_bias = true; }).find("bias"), std::string::npos);
  EXPECT_NE(obstacle([](ClipConfig& c) { c.init_logit_bias = -10; }).find("logit_bias"), std::string::npos);
}

TEST(HuggingFaceConfig, WritesWhatItReads) {
  for (const ClipConfig& config : {preset("ViT-B-16"), preset("tiny-64"), as_siglip(preset("tiny-32"))}) {
    const ClipConfig again = parse(pretrained::hugging_face_config(config, "float32"));
    EXPECT_EQ(again.embed_dim, config.embed_dim);
    EXPECT_EQ(again.vision.heads, config.vision.heads);
    EXPECT_EQ(again.vision.mlp_width, config.vision.mlp_width);
    EXPECT_EQ(again.vision.activation, config.vision.activation);
    EXPECT_EQ(again.vision.eps, config.vision.eps);
    EXPECT_EQ(again.vision.pool, config.vision.pool);
    EXPECT_EQ(again.text.vocab_size, config.text.vocab_size);
    EXPECT_EQ(again.text.context_length, config.text.context_length);
    EXPECT_EQ(again.text.causal, config.text.causal);
    EXPECT_EQ(again.family, config.family);
    if (config.family == ClipConfig::Family::siglip) continue;  // SiglipModel ignores the key
    EXPECT_EQ(again.text.eot_token_id, config.text.eot_token_id);
  }
}

}  // namespace
