#include "couplet/optim/schedule.hpp"

#include <gtest/gtest.h>

namespace couplet::optim {
namespace {

using Kind = LearningRateSchedule::Kind;

TEST(LearningRateSchedule, WarmsUpLinearlyFromOneStepsShare) {
  const LearningRateSchedule schedule{Kind::cosine, 0.004, 4, 20};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.001);
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.002);
  EXPECT_DOUBLE_EQ(schedule.at(3), 0.004);
}

TEST(LearningRateSchedule, FollowsACosineToZero) {
  const LearningRateSchedule schedule{Kind::cosine, 0.004, 4, 20};
  EXPECT_DOUBLE_EQ(schedule.at(4), 0.004);
  EXPECT_NEAR(schedule.at(8), 0.004 * (1 + std::sqrt(0.5)) / 2, 1e-17);
  EXPECT_NEAR(schedule.at(12), 0.002, 1e-17);
  EXPECT_GT(schedule.at(19), 0);
  EXPECT_EQ(schedule.at(20), 0);
  EXPECT_EQ(schedule.at(1000), 0);
}

// The rates that open_clip's formulas give for 3 warm-up steps of 10, base 0.004.
TEST(LearningRateSchedule, EqualsTheReferenceRun) {
  const LearningRateSchedule schedule{Kind::cosine, 0.004, 3, 10};
  const double expected[] = {0.0013333333333333333, 0.0026666666666666666, 0.004, 0.004, 0.0038019377358048383};
  for (int step = 0; step < 5; ++step) EXPECT_NEAR(schedule.at(step), expected[step], 1e-17) << step;
}

TEST(LearningRateSchedule, StaysConstantWithoutEnd) {
  const LearningRateSchedule schedule{Kind::constant, 0.01, 2, 0};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.005);
  EXPECT_EQ(schedule.at(2), 0.01);
  EXPECT_EQ(schedule.at(1'000'000), 0.01);
}

TEST(LearningRateSchedule, EndsInsideItsWarmUpWhenTheRunIsShorter) {
  const LearningRateSchedule schedule{Kind::cosine, 1, 10, 5};
  schedule.validate();
  EXPECT_DOUBLE_EQ(schedule.at(4), 0.5);
  EXPECT_EQ(schedule.at(10), 0);
}

TEST(LearningRateSchedule, RefusesFieldsThatMakeNoSchedule) {
  EXPECT_THROW((LearningRateSchedule{Kind::cosine, -1, 0, 10}.validate()), std::invalid_argument);
  EXPECT_THROW((LearningRateSchedule{Kind::cosine, 1, -1, 10}.validate()), std::invalid_argument);
  EXPECT_THROW((LearningRateSchedule{Kind::cosine, 1, 0, 0}.validate()), std::invalid_argument);
  EXPECT_NO_THROW((LearningRateSchedule{Kind::constant, 1, 0, 0}.validate()));
  EXPECT_THROW((void)(LearningRateSchedule{Kind::cosine, 1, 0, 10}.at(-1)), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
