#include "couplet/data/scene.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "couplet/data/keyed_random.hpp"

namespace couplet::data::detail {
namespace {

Scene scene_at(std::uint64_t i, SceneKinds kinds, std::string* caption = nullptr) {
  Random random = keyed_random(5, 0, i, Purpose::scene);
  const Scene scene = draw_scene(random, kinds, scene_pairs(ScenePairs::seen));
  if (caption != nullptr) *caption = draw_caption(random, scene);
  return scene;
}

TEST(Scene, ObjectsLieInThePictureAndApart) {
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Scene scene = scene_at(i, SceneKinds::mixed);
    for (std::size_t a = 0; a < scene.objects.size(); ++a) {
      const SceneObject& one = scene.objects[a];
      EXPECT_GE(std::min(one.x, one.y), one.radius) << i;
      EXPECT_LE(std::max(one.x, one.y), scene_units - one.radius) << i;
      for (std::size_t b = 0; b < a; ++b) {
        const SceneObject& other = scene.objects[b];
        EXPECT_GE(std::max(std::abs(one.x - other.x), std::abs(one.y - other.y)), one.radius + other.radius) << i;
      }
    }
  }
}

TEST(Scene, NeverShowsAHeldOutPair) {
  for (std::uint64_t i = 0; i < 2000; ++i) {
    for (const SceneObject& object : scene_at(i, SceneKinds::mixed).objects) {
      EXPECT_FALSE(is_held_out(object.color, object.shape));
    }
  }
}

TEST(Scene, MixesKindsAndCounts) {
  std::map<std::size_t, int> counts;
  int related = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Scene scene = scene_at(i, SceneKinds::mixed);
    related += scene.relation != SceneRelation::none ? 1 : 0;
    ++counts[scene.objects.size()];
    EXPECT_EQ(scene_at(i, SceneKinds::single).objects.size(), 1u);
  }
  EXPECT_NEAR(counts[1], 1333, 100);
  EXPECT_NEAR(related, 333, 70);
  for (std::size_t count = 2; count <= 5; ++count) EXPECT_GT(counts[count], 50) << count;
}

/// The position in `caption` of the first object's or the second object's colour and shape.
std::size_t mention(const std::string& caption, const SceneObject& object) {
  return caption.find(object_words(object, false, false));
}

TEST(Scene, CaptionsTellTheTruth) {
  int told = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    std::string caption;
    const Scene scene = scene_at(i, SceneKinds::mixed, &caption);
    const SceneObject& first = scene.objects[0];
    ASSERT_NE(mention(caption, first), std::string::npos) << caption;
    if (caption.find("background") != std::string::npos) {
      const char* words[] = {"light", "gray", "dark"};
      EXPECT_NE(caption.find(words[static_cast<int>(scene.background)]), std::string::npos) << caption;
    }
    if (scene.relation == SceneRelation::none) {
      const bool large = caption.find("large") != std::string::npos, small = caption.find("small") != std::string::npos;
      EXPECT_FALSE(first.large ? small : large) << caption;
      continue;
    }
    const bool in_order = mention(caption, first) < mention(caption, scene.objects[1]);
    for (const auto& [word, x, y] :
         {std::tuple{" left of ", -1, 0}, {" right of ", 1, 0}, {" above ", 0, -1}, {" below ", 0, 1}}) {
      if (caption.find(word) == std::string::npos) continue;
      const SceneObject& subject = scene.objects[in_order ? 0 : 1];
      const SceneObject& other = scene.objects[in_order ? 1 : 0];
      EXPECT_GT((subject.x - other.x) * x + (subject.y - other.y) * y, 0) << caption;
      ++told;
    }
  }
  EXPECT_GT(told, 300);
}

TEST(Scene, SpellsPlurals) {
  SceneObject object{};
  object.shape = 5;
  EXPECT_EQ(object_words(object, true, true), "small red crosses");
  object.shape = 3;
  object.large = true;
  EXPECT_EQ(object_words(object, true, true), "large red stars");
  EXPECT_EQ(object_words(object, false, false), "red star");
}

}  // namespace
}  // namespace couplet::data::detail
