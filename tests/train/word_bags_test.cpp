#include "couplet/train/word_bags.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace couplet;

TEST(WordBags, WeighsRareWordsMoreAndCountsAWordOnce) {
  const std::vector<std::string> captions = {"Red heart, red!", "red star"};
  const train::WordBags bags(captions);
  ASSERT_EQ(bags.size(), 3);  // red, heart, star
  const Eigen::RowVectorXd bag = bags.of("RED red heart");
  const double red = std::log(3.0 / 2), heart = std::log(3.0), length = std::hypot(red, heart);
  EXPECT_NEAR(bag[0], red / length, 1e-12);
  EXPECT_NEAR(bag[1], heart / length, 1e-12);
  EXPECT_EQ(bag[2], 0.0);
}

TEST(WordBags, TakesBytesAboveAsciiAsLetters) {
  const std::vector<std::string> captions = {"caf\xC3\xA9-noir"};
  EXPECT_EQ(train::WordBags(captions).size(), 2);  // café, noir
}

TEST(WordBags, GivesZeroForWordsItHasNotSeen) {
  const std::vector<std::string> captions = {"red"};
  EXPECT_EQ(train::WordBags(captions).of("blue").norm(), 0.0);
}

}  // namespace
