#include "couplet/train/word_regression.hpp"

#include <gtest/gtest.h>

#include "couplet/data/scenes.hpp"
#include "support/stripes.hpp"

namespace {

using namespace couplet;
using test::stripes;

/// Pictures that their names describe.
class Stripes final : public data::Dataset {
 public:
  [[nodiscard]] Index size() const override { return 5; }
  [[nodiscard]] data::Sample sample(Index i) const override {
    data::Sample s = annotation(i);
    if (i == 4) {
      s.image_bytes = "not a picture";
    } else {
      s.image = stripes(i % 2 == 0);
    }
    return s;
  }
  [[nodiscard]] data::Sample annotation(Index i) const override {
    data::Sample s;
    s.captions = {i % 2 == 0 ? "Upright stripes" : "stripes, level"};
    return s;
  }
};

TEST(WordRegression, FindsCaptionsByTheirWords) {
  const train::WordRegression regression{Stripes()};
  const train::Evaluation e = regression.evaluate(Stripes());
  EXPECT_EQ(e.images, 4);
  EXPECT_EQ(e.texts, 4);
  ASSERT_EQ(e.unreadable.size(), 1U);
  EXPECT_EQ(e.unreadable[0].index, 4);
  // Two captions of each kind, the first of equals wins: 2 of 4 at the top, all among the first 5.
  EXPECT_EQ(e.image_to_text.at_1, 50.0);
  EXPECT_EQ(e.image_to_text.at_5, 100.0);
}

TEST(WordRegression, GeneralisesToScenesItHasNotSeen) {
  const data::SceneDataset seen({.seed = 1, .count = 400}), unseen({.seed = 2, .count = 100});
  const train::Evaluation e = train::WordRegression(seen).evaluate(unseen);
  EXPECT_GT(e.text_to_image.at_10, 30.0);  // chance: 10 %
}

TEST(WordRegression, RefusesDataWithoutWords) {
  class Silent final : public data::Dataset {
   public:
    [[nodiscard]] Index size() const override { return 1; }
    [[nodiscard]] data::Sample sample(Index) const override { return {}; }
    [[nodiscard]] data::Sample annotation(Index) const override { return {}; }
  };
  EXPECT_THROW((train::WordRegression{Silent()}), std::invalid_argument);
}

}  // namespace
