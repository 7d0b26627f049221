#include "couplet/distributed/gradient_sum.hpp"

#include <gtest/gtest.h>

#include "support/distributed_checks.hpp"
#include "support/thread_world.hpp"

namespace {

using namespace couplet;
using distributed::GradientSum;

TEST(DistributedStep, HasLossAndGradientsOfOneProcess) {
  for (const int size : {1, 2, 3, 4, 11}) test::ThreadWorld::run(size, test::expect_steps_equal_one_process);
}

TEST(DistributedStep, HasTheSameBitsInEveryRunAndProcess) {
  for (const int size : {2, 4}) test::ThreadWorld::run(size, test::expect_steps_repeat_bit_by_bit);
}

}  // namespace
