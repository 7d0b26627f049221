#include "couplet/optim/clamp_logit_scale.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace couplet::optim {
namespace {

TEST(ClampLogitScale, AllowsLn100OrTheValueAtLoad) {
  EXPECT_EQ(logit_scale_limit(2.659), std::log(100.0));
  EXPECT_EQ(logit_scale_limit(4.76), 4.76);
  EXPECT_EQ(logit_scale_limit(2.659F), static_cast<float>(std::log(100.0)));
}

TEST(ClampLogitScale, BringsTheValueBackIntoBounds) {
  Parameter<double> scale{Shape{1}};
  double& value = *scale.value.data();
  for (const auto& [before, after] : {std::pair{-0.1, 0.0}, {5.0, 4.7}, {4.65, 4.65}, {0.0, 0.0}}) {
    value = before;
    clamp_logit_scale(scale, 4.7);
    EXPECT_EQ(value, after);
  }
}

TEST(ClampLogitScale, LeavesAFrozenScaleAlone) {
  Parameter<float> scale{Shape{}};
  scale.trainable = false;
  *scale.value.data() = 6;
  clamp_logit_scale(scale, 4.6F);
  EXPECT_EQ(*scale.value.data(), 6);
}

}  // namespace
}  // namespace couplet::optim
