#include "couplet/data/scenes.hpp"

#include <gtest/gtest.h>

#include <set>
#include <span>
#include <stdexcept>
#include <string>

#include "couplet/image/checksum.hpp"

namespace couplet::data {
namespace {

std::uint32_t checksum(const SceneDataset& scenes) {
  std::uint32_t crc = 0;
  for (Index i = 0; i < scenes.size(); ++i) {
    const Sample sample = scenes.sample(i);
    crc = image::crc32(sample.image.pixels, crc);
    const std::string text = sample.key + sample.captions.at(0) + (sample.label ? std::to_string(*sample.label) : "-");
    crc = image::crc32({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, crc);
  }
  return crc;
}

TEST(Scenes, AreTheSameBytesOnEveryMachine) {
  EXPECT_EQ(checksum(SceneDataset({.seed = 1, .count = 64})), 3819481744U);
  EXPECT_EQ(checksum(SceneDataset({.seed = 2, .count = 8, .image_size = 37, .pairs = ScenePairs::all})), 1368830446U);
  EXPECT_EQ(
      checksum(SceneDataset(
          {.seed = 3, .count = 64, .image_size = 32, .pairs = ScenePairs::held_out, .kinds = SceneKinds::single})),
      1009715969U);
}

TEST(Scenes, DependOnSeedAndIndexAlone) {
  const SceneDataset few({.seed = 4, .count = 3}), many({.seed = 4, .count = 50}), other({.seed = 5, .count = 3});
  EXPECT_EQ(few.sample(2).image, many.sample(2).image);
  EXPECT_EQ(few.sample(2).captions, many.sample(2).captions);
  EXPECT_NE(few.sample(2).image, other.sample(2).image);
  EXPECT_EQ(few.annotation(2).captions, few.sample(2).captions);
  EXPECT_EQ(few.annotation(2).label, few.sample(2).label);
  EXPECT_EQ(few.annotation(2).image.width, 0);
}

TEST(Scenes, LabelsNameTheCaptionedClass) {
  for (const ScenePairs pairs : {ScenePairs::seen, ScenePairs::held_out, ScenePairs::all}) {
    for (const ScenePairs classes : {pairs, ScenePairs::all}) {
      const SceneDataset scenes(
          {.seed = 6, .count = 300, .pairs = pairs, .kinds = SceneKinds::single, .classes = classes});
      const auto names = scenes.class_names();
      EXPECT_EQ(names, scene_class_names(classes));
      for (Index i = 0; i < scenes.size(); ++i) {
        const Sample sample = scenes.annotation(i);
        ASSERT_TRUE(sample.label);
        EXPECT_NE(sample.captions[0].find(names.at(static_cast<std::size_t>(*sample.label))), std::string::npos);
      }
    }
  }
}

TEST(Scenes, OnlySingleObjectsHaveLabels) {
  const SceneDataset scenes({.seed = 7, .count = 500});
  int labelled = 0;
  for (Index i = 0; i < scenes.size(); ++i) labelled += scenes.annotation(i).label ? 1 : 0;
  EXPECT_NEAR(labelled, 333, 50);
}

TEST(Scenes, HeldOutPairsNeverAppearInSeenCaptions) {
  const SceneDataset scenes({.seed = 8, .count = 3000});
  const auto held_out = scene_class_names(ScenePairs::held_out);
  for (Index i = 0; i < scenes.size(); ++i) {
    for (const std::string& name : held_out) {
      ASSERT_EQ(scenes.annotation(i).captions[0].find(name), std::string::npos) << scenes.annotation(i).captions[0];
    }
  }
}

TEST(Scenes, CaptionsVary) {
  const SceneDataset scenes({.seed = 9, .count = 2000});
  std::set<std::string> captions;
  for (Index i = 0; i < scenes.size(); ++i) captions.insert(scenes.annotation(i).captions[0]);
  EXPECT_GT(captions.size(), 1200u);
}

TEST(Scenes, ForbidFlips) { EXPECT_FALSE(SceneDataset({}).flips_allowed()); }

TEST(Scenes, RefuseOptionsOutOfRange) {
  EXPECT_THROW(SceneDataset({.count = -1}), std::invalid_argument);
  EXPECT_THROW(SceneDataset({.image_size = 7}), std::invalid_argument);
  EXPECT_THROW(SceneDataset({.image_size = 4097}), std::invalid_argument);
  EXPECT_THROW(SceneDataset({.pairs = ScenePairs::all, .classes = ScenePairs::seen}), std::invalid_argument);
  EXPECT_THROW((void)SceneDataset({.count = 3}).sample(3), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
