#include "couplet/image/transform_config.hpp"

#include <gtest/gtest.h>

namespace couplet::image {
namespace {

TEST(TransformConfig, PresetsAreThoseOfTheReferences) {
  const TransformConfig clip = clip_transform_config();
  EXPECT_EQ(clip, TransformConfig{});
  EXPECT_EQ(clip.size, (Size{224, 224}));
  EXPECT_EQ(clip.image_mean[0], 0.48145466);
  EXPECT_EQ(clip.pass_order, PassOrder::horizontal_first);
  const TransformConfig siglip = siglip_transform_config(384);
  EXPECT_EQ(siglip.size, (Size{384, 384}));
  EXPECT_EQ(siglip.resize_mode, ResizeMode::squash);
  EXPECT_FALSE(siglip.do_center_crop);
  EXPECT_EQ(siglip.image_std, (Rgb{0.5, 0.5, 0.5}));
  const TransformConfig open_clip = open_clip_transform_config({40, 57}, ResizeMode::longest);
  EXPECT_EQ(open_clip.pipeline, Pipeline::open_clip);
  EXPECT_EQ(open_clip.crop_size, (Size{40, 57}));
  EXPECT_FALSE(open_clip_transform_config({8, 8}, ResizeMode::squash).do_center_crop);
}

}  // namespace
}  // namespace couplet::image
