#include "couplet/pretrained/timm_siglip.hpp"

#include <gtest/gtest.h>

#include "couplet/pretrained/pretrained.hpp"
#include "pretrained/written_checkpoint.hpp"
#include "support/expect_near.hpp"
#include "support/golden_model.hpp"

namespace {

using namespace couplet;

const test::NamedShapes timm_tensors{{"visual.trunk.patch_embed.proj.weight", {48, 3, 8, 8}},
                                     {"visual.trunk.attn_pool.mlp.fc1.weight", {60, 48}},
                                     {"visual.trunk.blocks.0.attn.qkv.weight", {144, 48}},
                                     {"visual.trunk.blocks.1.attn.qkv.weight", {144, 48}}};

VisionConfig read(const std::string& name, const test::NamedShapes& shapes = timm_tensors, const char* pool = "map") {
  const test::TemporaryDirectory folder;
  const std::string text =
      R"({"timm_model_name": ")" + name + R"(", "timm_pool": ")" + pool + R"(", "timm_proj": "none"})";
  VisionConfig vision;
  pretrained::read_timm_siglip(io::JsonField(io::Json::parse(text, "c.json"), "c.json"), test::zeros(folder, shapes),
                               vision);
  return vision;
}

TEST(TimmSiglip, HeadsComeFromTheNameAndSizesFromTheTensors) {
  const VisionConfig base = read("vit_base_patch16_siglip_224");
  EXPECT_EQ(base.heads, 12);
  EXPECT_EQ(base.activation, Activation::gelu);
  EXPECT_EQ(base.eps, 1e-6);
  EXPECT_EQ(base.width, 48);
  EXPECT_EQ(base.patch_size, 8);
  EXPECT_EQ(base.mlp_width, 60);
  EXPECT_EQ(base.layers, 2);
  EXPECT_EQ(read("vit_giantopt_patch16_siglip_384").heads, 16);
  EXPECT_EQ(read("vit_giantopt_patch16_siglip_384").activation, Activation::gelu_tanh);
}

TEST(TimmSiglip, RefusesOtherTowersAndOtherShapes) {
  EXPECT_THROW((void)read("vit_base_patch16_siglip_gap_224"), file_error);
  EXPECT_THROW((void)read("vit_base_patch16_siglip_224", timm_tensors, "avg"), file_error);
  EXPECT_THROW((void)read("vit_base_patch16_siglip_224", {{"a", {1}}}), file_error);
  test::NamedShapes flat = timm_tensors;
  flat[0].second = {48, 192};
  EXPECT_THROW((void)read("vit_base_patch16_siglip_224", flat), file_error);
  test::NamedShapes empty = timm_tensors;
  empty[0].second = {0, 3, 8, 8};
  EXPECT_THROW((void)read("vit_base_patch16_siglip_224", empty), file_error);
}

/// open_clip's SigLIP as a directory of transformers: other names, other shapes, the same features.
TEST(GoldenConversion, TimmSiglipToHuggingFace) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string directory = test::shared_directory() + "/golden/models/openclip-siglip";
  Pretrained<double> bundle = load_pretrained<double>(directory);
  const test::TemporaryDirectory folder;
  save_pretrained(bundle, folder.path(), Layout::hugging_face);
  const Pretrained<double> converted = load_pretrained<double>(folder.path());
  EXPECT_EQ(converted.layout, Layout::hugging_face);
  EXPECT_EQ(converted.transform.config().image_processor_type, "SiglipImageProcessor");
  const test::GoldenTensors<double> inputs(directory + "/golden.safetensors");
  const test::GoldenTensors<double> expected(directory + "/golden_f64.safetensors");
  const auto pixels = inputs.read<double, 4>("pixel_values");
  Tensor<double, 2> features({pixels.extent(0), converted.embed_dim()});
  Workspace workspace;
  converted.model.encode_image(pixels, features, workspace);
  EXPECT_TRUE(test::near_relative_to_max(features, expected.matrix("image_features"), 1e-10));
}

}  // namespace
