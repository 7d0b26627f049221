#include "couplet/models/config.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;

std::string message_of(const ClipConfig& config) {
  try {
    validate(config);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ClipConfig, DefaultsDescribeVitB32) {
  const ClipConfig config;
  EXPECT_EQ(message_of(config), "");
  EXPECT_EQ(config.vision.tokens(), 50);
}

TEST(ClipConfig, SiglipKeepsSizesAndChangesTheStructure) {
  const ClipConfig config = as_siglip(ClipConfig());
  EXPECT_EQ(message_of(config), "");
  EXPECT_EQ(config.embed_dim, config.vision.width);
  EXPECT_EQ(config.vision.tokens(), 49);
  EXPECT_EQ(config.text.pool, TextPool::last);
  EXPECT_EQ(config.init_logit_bias, -10.0);
}

TEST(ClipConfig, ResidualNetworksShrinkImagesBy32) {
  ClipConfig config;
  config.vision.image_height = 224;
  config.vision.image_width = 288;
  config.vision.width = 64;
  config.vision.heads = 32;
  config.vision = as_resnet(config.vision, {3, 4, 6, 3});
  EXPECT_EQ(message_of(config), "");
  EXPECT_EQ(config.vision.tokens(), 7 * 9 + 1);
  EXPECT_EQ(config.vision.resnet_features(), 2048);
  EXPECT_THROW((void)as_siglip(config), std::invalid_argument);
  const auto broken = [&](auto&& change) {
    ClipConfig other = config;
    change(other.vision);
    return message_of(other);
  };
  EXPECT_NE(broken([](VisionConfig& v) { v.image_width = 230; }).find("multiples of 32"), std::string::npos);
  EXPECT_NE(broken([](VisionConfig& v) { v.heads = 3; }).find("2048 does not divide into 3 heads"), std::string::npos);
  EXPECT_NE(broken([](VisionConfig& v) { (*v.resnet_layers)[2] = 0; }).find("must be positive"), std::string::npos);
  EXPECT_NE(broken([](VisionConfig& v) { v.width = 63; }).find("odd"), std::string::npos);
}

TEST(ClipConfig, CocaPoolsAtQueriesOfEmbedDimAndAtAClassToken) {
  ClipConfig config = as_coca(ClipConfig());
  EXPECT_EQ(message_of(config), "");
  EXPECT_EQ(config.vision.pooled_width(config.embed_dim), 512);
  EXPECT_EQ(config.text.positions(), 78);
  EXPECT_TRUE(config.text.full_length());
  config.vision.pooler_heads = 7;
  EXPECT_NE(message_of(config).find("embed_dim 512 does not divide into 7 heads"), std::string::npos);
  config.vision.pooler_heads = 8;
  config.vision.pooler_queries = 0;
  EXPECT_NE(message_of(config).find("pooler_queries must be positive"), std::string::npos);
}

TEST(ClipConfig, Eva02HasHeadsOfAMultipleOfFour) {
  ClipConfig config;
  config.vision = as_eva02(config.vision);
  EXPECT_EQ(message_of(config), "");
  EXPECT_EQ(config.vision.eps, 1e-6);
  config.vision.heads = 384;
  EXPECT_NE(message_of(config).find("multiple of 4"), std::string::npos);
}

TEST(ClipConfig, RefusesWhatCannotBeBuilt) {
  ClipConfig heads;
  heads.vision.heads = 7;
  EXPECT_NE(message_of(heads).find("768 does not divide into 7 heads"), std::string::npos);
  ClipConfig no_heads;
  no_heads.text.heads = 0;
  EXPECT_NE(message_of(no_heads).find("text heads must be positive"), std::string::npos);
  ClipConfig patch;
  patch.vision.patch_size = 300;
  EXPECT_NE(message_of(patch).find("larger than the image"), std::string::npos);
  ClipConfig pool;
  pool.vision.ln_after_pool = true;
  EXPECT_NE(message_of(pool).find("ln_after_pool belongs to average"), std::string::npos);
  ClipConfig head = as_siglip(ClipConfig{});
  head.vision.projection = true;
  EXPECT_NE(message_of(head).find("not followed by a projection"), std::string::npos);
  ClipConfig projection;
  projection.vision.projection = false;
  EXPECT_NE(message_of(projection).find("without a projection"), std::string::npos);
}

TEST(ClipConfig, GridsThatDoNotDivideLoseTheBorder) {
  VisionConfig vision;
  vision.image_height = vision.image_width = 30;
  vision.patch_size = 7;
  EXPECT_EQ(vision.grid_height() * vision.grid_width(), 16);
}

}  // namespace
