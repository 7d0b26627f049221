#include "couplet/train/loss_watch.hpp"

#include <gtest/gtest.h>

namespace {

using couplet::train::LossKind;
using couplet::train::LossWatch;

TEST(LossWatch, SaysOnceThatTheLossStaysAtLnOfTheBatch) {
  LossWatch watch(LossKind::clip, 128, 20);
  const double untrained = std::log(128.0);
  int changes = 0;
  for (int step = 1; step <= 400; ++step) {
    const bool changed = watch.add(step, untrained - 0.01);
    if (changed) {
      EXPECT_EQ(step, 20 + LossWatch::patience);
    }
    changes += changed ? 1 : 0;
  }
  EXPECT_EQ(changes, 1);
  EXPECT_TRUE(watch.stuck());
  EXPECT_NE(watch.note().find("4.85"), std::string::npos) << watch.note();
  for (int step = 401; step <= 500; ++step) changes += watch.add(step, 3.0) ? 1 : 0;  // it begins to learn
  EXPECT_EQ(changes, 2);
  EXPECT_EQ(watch.note(), "");
}

TEST(LossWatch, IsSilentAboutModelsThatLearnAndDuringTheWarmUp) {
  LossWatch watch(LossKind::clip, 128, 1000);
  for (int step = 1; step < 1000 + LossWatch::patience; ++step) EXPECT_FALSE(watch.add(step, 4.85));
  LossWatch learning(LossKind::clip, 128, 0);
  for (int step = 1; step < 1000; ++step) EXPECT_FALSE(learning.add(step, 4.85 * std::exp(-step / 1000.0)));
}

TEST(LossWatch, TheSigmoidLossKnowsNothingAtLnOfTheBatchPlusOne) {
  LossWatch watch(LossKind::siglip, 128, 0);
  EXPECT_NEAR(watch.untrained_loss(), std::log(128.0) + 1, 1e-12);
  for (int step = 1; step <= 300; ++step) EXPECT_FALSE(watch.add(step, 4.9));
}

/// A batch of one pair has no loss to fall.
TEST(LossWatch, IsSilentAboutBatchesOfOne) {
  LossWatch watch(LossKind::clip, 1, 0);
  for (int step = 1; step <= 300; ++step) EXPECT_FALSE(watch.add(step, 0));
}

}  // namespace
