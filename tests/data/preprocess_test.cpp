#include "couplet/data/preprocess.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <vector>

#include "couplet/data/scenes.hpp"

namespace couplet::data {
namespace {

image::Transform transform(int size) { return image::Transform(image::clip_transform_config(size)); }

std::vector<float> rendered(const Preprocess& preprocess, const Sample& sample, std::uint64_t epoch, Index index) {
  std::vector<float> out(static_cast<std::size_t>(3 * preprocess.height * preprocess.width), -100.0f);
  preprocess.render(sample, epoch, index, out.data());
  return out;
}

const Sample& scene() {
  static const Sample sample = SceneDataset({.seed = 1, .count = 1, .image_size = 48}).sample(0);
  return sample;
}

TEST(PreprocessVal, IsTheTransform) {
  const Preprocess preprocess = preprocess_val(transform(32));
  std::vector<float> expected(3 * 32 * 32);
  transform(32)(scene().image, expected);
  EXPECT_EQ(rendered(preprocess, scene(), 0, 0), expected);
  EXPECT_EQ(rendered(preprocess, scene(), 5, 9), expected);
  EXPECT_FALSE(preprocess.flips);
}

TEST(PreprocessTrain, CropsByKey) {
  const Preprocess preprocess = preprocess_train(transform(32), {.seed = 3});
  const auto first = rendered(preprocess, scene(), 0, 0);
  EXPECT_EQ(first, rendered(preprocess, scene(), 0, 0));
  EXPECT_NE(first, rendered(preprocess, scene(), 1, 0));
  EXPECT_NE(first, rendered(preprocess, scene(), 0, 1));
  EXPECT_NE(first, rendered(preprocess_train(transform(32), {.seed = 4}), scene(), 0, 0));
}

TEST(PreprocessTrain, TheWholePictureIsTheResizedOne) {
  const Preprocess preprocess = preprocess_train(transform(32), {.scale = {1.0, 1.0}, .ratio = {1.0, 1.0}});
  EXPECT_EQ(rendered(preprocess, scene(), 0, 0), rendered(preprocess_val(transform(32)), scene(), 0, 0));
}

TEST(PreprocessTrain, MirrorsHalfOfThePicturesWhenAsked) {
  const TrainAugmentation augmentation{.scale = {1.0, 1.0}, .ratio = {1.0, 1.0}, .flip = true};
  const Preprocess preprocess = preprocess_train(transform(8), augmentation);
  EXPECT_TRUE(preprocess.flips);
  const auto straight = rendered(preprocess_val(transform(8)), scene(), 0, 0);
  int mirrored = 0;
  for (Index i = 0; i < 200; ++i) {
    const auto out = rendered(preprocess, scene(), 0, i);
    if (out == straight) continue;
    ++mirrored;
    for (std::size_t row = 0; row < 24; ++row) {
      for (std::size_t x = 0; x < 8; ++x) ASSERT_EQ(out[row * 8 + x], straight[row * 8 + 7 - x]);
    }
  }
  EXPECT_NEAR(mirrored, 100, 30);
}

TEST(PreprocessTrain, TurnsByKey) {
  TrainAugmentation augmentation{.seed = 3};
  const Preprocess plain = preprocess_train(transform(32), augmentation);
  augmentation.affine = {.degrees = 15, .translate = 0.1};
  const Preprocess turned = preprocess_train(transform(32), augmentation);
  const auto out = rendered(turned, scene(), 0, 1);
  EXPECT_EQ(out, rendered(turned, scene(), 0, 1));
  EXPECT_NE(out, rendered(plain, scene(), 0, 1));
  EXPECT_NE(out, rendered(turned, scene(), 1, 1)) << "another epoch";
  augmentation.affine.shear = 90;
  EXPECT_THROW((void)preprocess_train(transform(32), augmentation), std::invalid_argument);
}

TEST(PreprocessTrain, RecoloursByKeyWithoutMovingTheCrop) {
  TrainAugmentation augmentation{.seed = 3};
  const Preprocess plain = preprocess_train(transform(32), augmentation);
  augmentation.color = {.brightness = 0.3, .hue = 0.08, .probability = 0.5};
  const Preprocess coloured = preprocess_train(transform(32), augmentation);
  int changed = 0;
  for (Index i = 0; i < 100; ++i) {
    const auto out = rendered(coloured, scene(), 0, i);
    EXPECT_EQ(out, rendered(coloured, scene(), 0, i));
    changed += out == rendered(plain, scene(), 0, i) ? 0 : 1;
  }
  EXPECT_NEAR(changed, 50, 20);
  augmentation.color.hue = 2;
  EXPECT_THROW((void)preprocess_train(transform(32), augmentation), std::invalid_argument);
}

TEST(Preprocess, RefusesTransformsWithoutAFixedSizeAndBadRanges) {
  image::TransformConfig config = image::clip_transform_config(32);
  config.do_center_crop = false;
  EXPECT_THROW((void)preprocess_val(image::Transform(config)), std::invalid_argument);
  EXPECT_THROW((void)preprocess_train(image::Transform(config)), std::invalid_argument);
  EXPECT_THROW((void)preprocess_train(transform(32), {.scale = {0.9, 1.1}}), std::invalid_argument);
  EXPECT_THROW((void)preprocess_train(transform(32), {.scale = {0.0, 1.0}}), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
