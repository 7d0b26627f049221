#include "couplet/pretrained/timm_eva02.hpp"

#include <gtest/gtest.h>

#include "couplet/pretrained/parameters.hpp"
#include "pretrained/written_checkpoint.hpp"

namespace {

using namespace couplet;

const test::NamedShapes eva02_tensors{{"visual.trunk.patch_embed.proj.weight", {48, 3, 8, 8}},
                                      {"visual.trunk.blocks.0.mlp.fc1_x.weight", {60, 48}},
                                      {"visual.trunk.blocks.0.attn.q_proj.weight", {48, 48}},
                                      {"visual.trunk.blocks.1.attn.q_proj.weight", {48, 48}}};

std::string eva02_section(const std::string& name, const std::string& pool = R"("token")",
                          const std::string& proj = R"(, "timm_proj": null)") {
  return R"({"timm_model_name": ")" + name + R"(", "timm_pool": )" + pool + proj + "}";
}

VisionConfig read_eva02(const std::string& section) {
  const test::TemporaryDirectory folder;
  VisionConfig vision;
  pretrained::read_timm_eva02(io::JsonField(io::Json::parse(section, "c.json"), "c.json"),
                              test::zeros(folder, eva02_tensors), vision);
  return vision;
}

std::string eva02_message(const std::string& section) {
  try {
    (void)read_eva02(section);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

TEST(TimmEva02, HeadsComeFromTheNameAndSizesFromTheTensors) {
  const VisionConfig base = read_eva02(eva02_section("eva02_base_patch16_clip_224"));
  EXPECT_TRUE(base.eva02);
  EXPECT_TRUE(base.projection_bias);
  EXPECT_FALSE(base.ln_pre);
  EXPECT_EQ(base.heads, 12);
  EXPECT_EQ(base.eps, 1e-6);
  EXPECT_EQ(base.width, 48);
  EXPECT_EQ(base.patch_size, 8);
  EXPECT_EQ(base.mlp_width, 60);
  EXPECT_EQ(base.layers, 2);
  EXPECT_EQ(read_eva02(eva02_section("eva02_large_patch14_clip_336")).heads, 16);
}

TEST(TimmEva02, RefusesOtherTowersPoolsAndProjectionsByValue) {
  const std::string name = "eva02_base_patch16_clip_224";
  EXPECT_NE(eva02_message(eva02_section("eva02_enormous_patch14_clip_224")).find("eva02_enormous"), std::string::npos);
  EXPECT_NE(eva02_message(eva02_section(name, R"("avg")")).find("\"avg\""), std::string::npos);
  EXPECT_NE(eva02_message(eva02_section(name, R"("token")", R"(, "timm_proj": "mlp")")).find("\"mlp\""),
            std::string::npos);
  EXPECT_NE(eva02_message(eva02_section(name, R"("token")", "")).find("the default"), std::string::npos);
}

TEST(TimmEva02, NamesTowersOfThePublishedSizesAndNoOthers) {
  ClipConfig config;  // EVA02-B-16
  config.vision.patch_size = 16;
  config.vision.mlp_width = 2048;
  config.vision = as_eva02(config.vision);
  EXPECT_EQ(pretrained::timm_eva02_name(config.vision), "eva02_base_patch16_clip_224");
  EXPECT_NEAR(static_cast<double>(pretrained::parameter_count(config)) / 1e6, 149.69, 0.005);  // openclip_results.csv
  config.vision.image_height = config.vision.image_width = 336;
  EXPECT_EQ(pretrained::timm_eva02_name(config.vision), "");
}

}  // namespace
