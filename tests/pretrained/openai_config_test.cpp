#include "couplet/pretrained/openai_config.hpp"

#include <gtest/gtest.h>

#include "pretrained/written_checkpoint.hpp"

namespace {

using namespace couplet;

const test::NamedShapes tensors{{"visual.conv1.weight", {128, 3, 8, 8}},
                                {"visual.positional_embedding", {17, 128}},
                                {"visual.transformer.resblocks.0.attn.in_proj_weight", {384, 128}},
                                {"visual.transformer.resblocks.1.attn.in_proj_weight", {384, 128}},
                                {"transformer.resblocks.0.attn.in_proj_weight", {192, 64}},
                                {"token_embedding.weight", {300, 64}},
                                {"positional_embedding", {16, 64}},
                                {"ln_final.weight", {64}},
                                {"text_projection", {64, 32}}};

test::NamedShapes with(const std::string& name, const std::vector<std::int64_t>& shape) {
  test::NamedShapes changed = tensors;
  for (auto& [each, old] : changed) {
    if (each == name) old = shape;
  }
  return changed;
}

ClipConfig read(const test::NamedShapes& shapes) {
  const test::TemporaryDirectory folder;
  return pretrained::openai_config(test::zeros(folder, shapes));
}

/// The tensors that tell the sizes of a residual network: 1, 2, 1 and 1 blocks, 3 x 3 positions.
test::NamedShapes residual(std::int64_t width) {
  test::NamedShapes shapes = with("visual.conv1.weight", {32, 3, 3, 3});
  for (const char* name : {"1.0", "2.0", "2.1", "3.0", "4.0"}) {
    shapes.emplace_back("visual.layer" + std::string(name) + ".conv1.weight",
                        std::vector<std::int64_t>{width, 0, 1, 1});
  }
  shapes.emplace_back("visual.attnpool.positional_embedding", std::vector<std::int64_t>{10, 0});
  return shapes;
}

TEST(OpenAiConfig, ResidualNetworksAreKnownByTheirLayers) {
  const ClipConfig c = read(residual(64));
  ASSERT_TRUE(c.vision.is_resnet());
  EXPECT_EQ(*c.vision.resnet_layers, (std::array<Index, 4>{1, 2, 1, 1}));
  EXPECT_EQ(c.vision.width, 64);
  EXPECT_EQ(c.vision.heads, 32);
  EXPECT_EQ(c.vision.image_height, 96);
  EXPECT_EQ(c.text.activation, Activation::quick_gelu);
}

TEST(OpenAiConfig, SizesAreThoseOfTheTensors) {
  const ClipConfig c = read(tensors);
  EXPECT_EQ(c.vision.width, 128);
  EXPECT_EQ(c.vision.layers, 2);
  EXPECT_EQ(c.vision.heads, 2);
  EXPECT_EQ(c.vision.image_height, 32);
  EXPECT_EQ(c.vision.patch_size, 8);
  EXPECT_EQ(c.text.layers, 1);
  EXPECT_EQ(c.text.heads, 1);
  EXPECT_EQ(c.text.vocab_size, 300);
  EXPECT_EQ(c.text.context_length, 16);
  EXPECT_EQ(c.embed_dim, 32);
  EXPECT_EQ(c.vision.activation, Activation::quick_gelu);
  EXPECT_EQ(c.text.pool, TextPool::argmax);
}

TEST(OpenAiConfig, RefusesWhatNoModelOfOpenAiHas) {
  EXPECT_THROW((void)read(with("visual.conv1.weight", {100, 3, 8, 8})), file_error);
  EXPECT_THROW((void)read(with("visual.positional_embedding", {0, 128})), file_error);
  EXPECT_THROW((void)read(with("ln_final.weight", {64, 1})), file_error);
  EXPECT_THROW((void)read(residual(1 << 17)), file_error);  // the attention pool would be 4 million wide
  EXPECT_THROW((void)read(residual(63)), file_error);
}

TEST(OpenAiConfig, TellsArchivesOfOpenAiByTheirNumbers) {
  const test::TemporaryDirectory folder;
  EXPECT_TRUE(pretrained::has_openai_names(test::zeros(folder, tensors)));
  EXPECT_FALSE(pretrained::is_openai_archive(test::zeros(folder, tensors)));
  test::NamedShapes archive = tensors;
  for (const char* name : {"input_resolution", "context_length", "vocab_size"}) {
    archive.emplace_back(name, std::vector<std::int64_t>{});
  }
  EXPECT_TRUE(pretrained::is_openai_archive(test::zeros(folder, archive)));
}

}  // namespace
