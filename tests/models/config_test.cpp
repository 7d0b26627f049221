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
