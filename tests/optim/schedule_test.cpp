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

/// open_clip's const_lr_cooldown, as its formula reads.
TEST(LearningRateSchedule, CoolsDownFromAConstant) {
  const LearningRateSchedule schedule{.kind = Kind::constant_cooldown,
                                      .base = 0.01,
                                      .warmup = 2,
                                      .steps = 20,
                                      .cooldown = 8,
                                      .cooldown_power = 2,
                                      .cooldown_end = 0.001};
  EXPECT_NO_THROW(schedule.validate());
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.005);
  for (int step = 2; step < 12; ++step) EXPECT_EQ(schedule.at(step), 0.01) << step;
  for (int step = 12; step < 20; ++step) {
    const double decay = std::pow(1 - (step - 12) / 8.0, 2);
    EXPECT_NEAR(schedule.at(step), decay * (0.01 - 0.001) + 0.001, 1e-17) << step;
  }
  EXPECT_EQ(schedule.at(20), 0.001);
}

/// big_vision's rsqrt: base / sqrt((step + shift) / timescale) with shift = timescale - warmup.
TEST(LearningRateSchedule, FallsWithTheSquareRootOfTheSteps) {
  LearningRateSchedule schedule{.kind = Kind::rsqrt, .base = 0.01, .warmup = 4, .timescale = 50};
  EXPECT_NO_THROW(schedule.validate());
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.005);
  for (const int step : {4, 5, 54, 1000, 100000}) {
    EXPECT_NEAR(schedule.at(step), 0.01 / std::sqrt((step + 50.0 - 4) / 50.0), 1e-17) << step;
  }
  schedule.steps = 104;
  schedule.cooldown = 10;
  EXPECT_NEAR(schedule.at(93), 0.01 / std::sqrt((93 + 50.0 - 4) / 50.0), 1e-17);
  EXPECT_NEAR(schedule.at(99), 0.5 * 0.01 / std::sqrt((99 + 50.0 - 4) / 50.0), 1e-17);
  EXPECT_EQ(schedule.at(104), 0);
}

TEST(LearningRateSchedule, RefusesCooldownsThatDoNotFit) {
  LearningRateSchedule schedule{.kind = Kind::constant_cooldown, .base = 0.01, .warmup = 5, .steps = 20};
  EXPECT_THROW(schedule.validate(), std::invalid_argument);  // no cooldown
  schedule.cooldown = 16;
  EXPECT_THROW(schedule.validate(), std::invalid_argument);
  schedule.cooldown = 15;
  EXPECT_NO_THROW(schedule.validate());
  schedule.cooldown_end = 0.02;
  EXPECT_THROW(schedule.validate(), std::invalid_argument);
  schedule.cooldown_end = 0;
  schedule.cooldown_power = 0;
  EXPECT_THROW(schedule.validate(), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::optim
