#include "couplet/eval/zero_shot.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/small_bundle.hpp"

namespace {

using namespace couplet;

const std::vector<std::string> labels{"red circle", "blue square", "green star"};

TEST(ZeroShotClassifier, ClassVectorsAreTheNormalisedMeanOverTemplates) {
  const Pretrained<float> clip = test::small_bundle();
  const std::vector<std::string> templates{"a {}", "a picture of a {}."};
  const ZeroShotClassifier classifier(clip, labels, templates);
  const Tensor<float, 2> first = clip.encode_text("a blue square");
  const Tensor<float, 2> second = clip.encode_text("a picture of a blue square.");
  double length = 0;
  for (Index e = 0; e < clip.embed_dim(); ++e) length += std::pow((first(0, e) + second(0, e)) / 2, 2);
  for (Index e = 0; e < clip.embed_dim(); ++e) {
    EXPECT_NEAR(classifier.class_embeds()(1, e), (first(0, e) + second(0, e)) / 2 / std::sqrt(length), 1e-6);
  }
}

TEST(ZeroShotClassifier, ClipGivesASoftmaxAndSiglipASigmoid) {
  const image::Image image = test::random_images(1).front();
  for (const bool siglip : {false, true}) {
    const Pretrained<float> clip = test::small_bundle(siglip);
    const ZeroShotClassifier classifier(clip, labels);
    const auto scores = classifier.classify(image);
    ASSERT_EQ(scores.size(), 3U);
    double sum = 0;
    for (const ZeroShotScore& score : scores) {
      sum += score.probability;
      if (siglip) {
        EXPECT_NEAR(score.probability, 1 / (1 + std::exp(-score.logit)), 1e-12);
      }
    }
    EXPECT_GE(scores[0].logit, scores[1].logit);
    EXPECT_GE(scores[1].logit, scores[2].logit);
    if (siglip) {
      EXPECT_LT(sum, 0.5);  // an untrained SigLIP believes nothing: its bias is -10
    } else {
      EXPECT_NEAR(sum, 1.0, 1e-12);
      EXPECT_NEAR(std::log(scores[0].probability / scores[1].probability), scores[0].logit - scores[1].logit, 1e-9);
    }
  }
}

TEST(ZeroShotClassifier, LogitsAreScaledSimilarities) {
  const Pretrained<float> clip = test::small_bundle();
  const ZeroShotClassifier classifier(clip, labels);
  const auto images = test::random_images(3);
  const Tensor<float, 2> embeds = clip.encode_image(images);
  const Tensor<float, 2> logits = classifier.logits(embeds);
  double dot = 0;
  for (Index e = 0; e < clip.embed_dim(); ++e) dot += double{embeds(2, e)} * classifier.class_embeds()(1, e);
  EXPECT_NEAR(logits(2, 1), std::exp(clip.model.log_scale()) * dot, 1e-4);
  const auto batch = classifier.classify(images);
  EXPECT_EQ(batch[2][0].label, classifier.classify(images[2])[0].label);
}

TEST(ZeroShotClassifier, RefusesMissingLabelsAndTemplatesWithoutAPlace) {
  const Pretrained<float> clip = test::small_bundle();
  EXPECT_THROW((ZeroShotClassifier<float>(clip, {})), std::invalid_argument);
  EXPECT_THROW((ZeroShotClassifier<float>(clip, labels, {"a photo"})), std::invalid_argument);
  EXPECT_THROW((ZeroShotClassifier<float>(clip, labels, {})), std::invalid_argument);
  const auto of = [&](const std::vector<std::string>& names, Index rows, Index columns) {
    return ZeroShotClassifier<float>::from_class_embeds(clip, names, Tensor<float, 2>({rows, columns}));
  };
  EXPECT_EQ(of(labels, 3, clip.embed_dim()).size(), 3);
  EXPECT_THROW(of(labels, 2, clip.embed_dim()), std::invalid_argument);
  EXPECT_THROW(of(labels, 3, clip.embed_dim() + 1), std::invalid_argument);
  EXPECT_THROW(of({}, 0, clip.embed_dim()), std::invalid_argument);
}

}  // namespace
