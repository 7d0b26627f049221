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

/// A parameter whose gradient is `rank` + 1 at every place, and one that is frozen.
struct TwoParameters {
  TwoParameters(Index size, int rank) : learns(Shape{size}), frozen(Shape{3}) {
    learns.zero_grad();
    std::fill_n(learns.grad.data(), size, static_cast<float>(rank + 1));
    frozen.trainable = false;
  }
  template <class F>
  void visit_parameters(F&& f) {
    f("learns", learns);
    f("frozen", frozen);
  }
  Parameter<float> learns, frozen;
};

TEST(GradientSum, AddsEveryElementOnceAcrossBuckets) {
  const Index size = GradientSum<float>::bucket_size + 12345;
  test::ThreadWorld::run(2, [&](distributed::Communicator& communicator) {
    TwoParameters large(size, communicator.rank()), small(5, communicator.rank());
    GradientSum<float> sum(communicator);
    for (int step = 0; step < 2; ++step) {
      large.learns.grad.data()[size - 1] = 10;
      sum.start(large);
      sum.start(small.learns);
      sum.start(large.learns);  // again: left out
      sum.finish();
      EXPECT_EQ(large.learns.grad.data()[size - 1], 20);
      EXPECT_EQ(std::count(large.learns.grad.data(), large.learns.grad.data() + size, step == 0 ? 3.0F : 6.0F),
                size - 1);
      EXPECT_EQ(small.learns.grad.data()[4], step == 0 ? 3.0F : 6.0F);
    }
  });
}

TEST(GradientSum, OneProcessChangesNothing) {
  TwoParameters parameters(5, 0);
  GradientSum<float> sum(distributed::alone());
  sum.start(parameters);
  sum.finish();
  EXPECT_EQ(parameters.learns.grad.data()[3], 1);
}

TEST(GradientSum, IsGivenUpWhenItsProcessFails) {
  EXPECT_THROW(test::ThreadWorld::run(2,
                                      [](distributed::Communicator& communicator) {
                                        TwoParameters parameters(5, communicator.rank());
                                        GradientSum<float> sum(communicator);
                                        if (communicator.rank() == 0) sum.start(parameters);  // nobody answers
                                        throw std::logic_error("on purpose");
                                      }),
               std::logic_error);
}

TEST(GradientSum, TellsWhatWentWrong) {
  EXPECT_THROW(test::ThreadWorld::run(2,
                                      [](distributed::Communicator& communicator) {
                                        TwoParameters parameters(5 + communicator.rank(), 0);
                                        GradientSum<float> sum(communicator);
                                        sum.start(parameters);
                                        sum.finish();
                                      }),
               std::exception);
}

TEST(ContrastiveStep, SeveralProcessesDoNotTrainBatchNorm) {
  ClipConfig config = test::distributed_config(false);
  config.vision.image_height = config.vision.image_width = 32;
  config.vision.width = config.vision.heads = 4;
  config.vision = as_resnet(config.vision, {1, 1, 1, 1});
  test::ThreadWorld::run(2, [&](distributed::Communicator& communicator) {
    Clip<float> model(config);
    model.prepare();
    nn::zero_grad(model);
    train::ContrastiveStep<float> step(train::LossKind::clip, 0, false, communicator);
    const Tensor<float, 4> pixels({2, 3, 32, 32});
    Tensor<std::int64_t, 2> ids({2, 6});
    ids.fill(19);
    EXPECT_THROW((void)step.forward_backward(model, pixels, ids), std::invalid_argument);
  });
}

}  // namespace
