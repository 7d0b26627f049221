#include "couplet/train/evaluation.hpp"

#include <gtest/gtest.h>

#include "couplet/data/scenes.hpp"
#include "support/expect_near.hpp"
#include "support/small_bundle.hpp"

namespace {

using namespace couplet;

/// Two pictures that decode, one that does not.
class Mixed final : public data::Dataset {
 public:
  [[nodiscard]] Index size() const override { return 3; }
  [[nodiscard]] data::Sample sample(Index i) const override {
    data::Sample s = annotation(i);
    if (i == 1) {
      s.image_bytes = "not a picture";
    } else {
      s.image = test::random_images(3)[static_cast<std::size_t>(i)];
    }
    return s;
  }
  [[nodiscard]] data::Sample annotation(Index i) const override {
    data::Sample s;
    s.key = std::to_string(i);
    s.source = "picture " + s.key;
    s.captions = {"a red circle number " + s.key, "a blue square number " + s.key};
    s.label = i == 0 ? 0 : 1;
    return s;
  }
};

TEST(EmbedImages, LeavesOutAndNamesWhatCannotBeRead) {
  const Pretrained<float> clip = test::small_bundle();
  const train::ImageEmbeddings images = train::embed_images(clip, Mixed());
  EXPECT_EQ(images.indices, (std::vector<Index>{0, 2}));
  ASSERT_EQ(images.unreadable.size(), 1U);
  EXPECT_EQ(images.unreadable[0].index, 1);
  EXPECT_NE(images.unreadable[0].reason.find("picture 1"), std::string::npos);
  const auto pictures = test::random_images(3);
  const Tensor<float, 2> third = clip.encode_image(pictures[2]);
  EXPECT_EQ(std::memcmp(third.data(), &images.embeds(1, 0), static_cast<std::size_t>(clip.embed_dim()) * 4), 0);
}

TEST(Evaluate, CountsImagesTextsAndLabels) {
  const Pretrained<float> clip = test::small_bundle();
  train::EvaluationOptions options;
  options.class_names = {"red circle", "blue square"};
  options.samples = 5;  // more than there are pictures
  const train::Evaluation e = train::evaluate(clip, Mixed(), options);
  EXPECT_EQ(e.images, 2);
  EXPECT_EQ(e.texts, 4);
  EXPECT_EQ(e.labelled, 2);
  EXPECT_EQ(e.classes, 2);
  EXPECT_EQ(e.top5, 100.0);
  EXPECT_EQ(e.image_to_text.at_5, 100.0);
  EXPECT_EQ(e.unreadable.size(), 1U);
  ASSERT_EQ(e.samples.size(), 2U);
  EXPECT_EQ(e.samples[1].index, 2);
  EXPECT_EQ(e.samples[1].caption, "a red circle number 2");
  ASSERT_EQ(e.samples[1].found.size(), 3U);
  EXPECT_GE(e.samples[1].found[0].second, e.samples[1].found[1].second);
  EXPECT_GE(e.samples[1].found[1].second, e.samples[1].found[2].second);
  EXPECT_LE(e.samples[1].found[0].second, 1.0001);
}

TEST(Evaluate, ScenesHaveClassNamesAndJsonNamesItsFigures) {
  const Pretrained<float> clip = test::small_bundle();
  const data::SceneDataset scenes({.seed = 3, .count = 40, .image_size = 32});
  const train::Evaluation e = train::evaluate(clip, scenes);
  EXPECT_EQ(e.images, 40);
  EXPECT_GT(e.labelled, 0);
  EXPECT_EQ(e.classes, 48);
  io::JsonWriter json(0);
  train::write_json(json, e);
  const io::Json parsed = io::Json::parse(json.str(), "evaluation");
  EXPECT_EQ(parsed.find("images")->as_integer(), 40);
  for (const char* way : {"image_to_text", "text_to_image"}) {
    for (const char* k : {"R@1", "R@5", "R@10"}) EXPECT_NE(parsed.find(way)->find(k), nullptr);
  }
  EXPECT_NE(parsed.find("top1"), nullptr);
}

}  // namespace
