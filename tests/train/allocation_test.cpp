// After the largest batch seen, a training step and an inference call allocate nothing.
#include <gtest/gtest.h>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/train/trainer.hpp"
#include "support/count_allocations.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

class Allocation : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (COUPLET_TEST_COUNTS_ALLOCATIONS == 0) GTEST_SKIP() << "the sanitizer has its own allocator";
    ClipConfig config = preset("tiny-32");
    config.text.vocab_size = 50;
    config.text.eot_token_id = 49;
    model_ = Clip<float>(config);
    initialize(model_, 1);
    model_.prepare(GetParam());
    if (model_.precision() != GetParam()) GTEST_SKIP() << "no products in bfloat16";
    pixels_ = test::random_tensor<float, 4>({24, 3, 32, 32}, 1);
    ids_ = Tensor<std::int64_t, 2>({24, config.text.context_length});
    for (Index i = 0; i < 24; ++i) {
      for (Index t = 0; t < ids_.extent(1); ++t) ids_(i, t) = t < 4 + i % 9 ? (i + t) % 40 : 49;
    }
  }

  Clip<float> model_;
  Tensor<float, 4> pixels_;
  Tensor<std::int64_t, 2> ids_;
};

// On one thread: on several, which of them gets the longest texts differs from step to step.
TEST_P(Allocation, ATrainingStepAllocatesNothing) {
  const ThreadLimit one(1);
  train::Trainer<float> trainer(model_, {.schedule = {.base = 1e-3, .steps = 100}, .grad_clip_norm = 1});
  for (int i = 0; i < 2; ++i) trainer.step(pixels_, ids_);
  EXPECT_EQ(test::allocations_of([&] { trainer.step(pixels_, ids_); }), 0);
  const auto fewer = pixels_.view().slice(0, 7);
  EXPECT_EQ(test::allocations_of([&] { trainer.step(fewer, ids_.view().slice(0, 7)); }), 0);
}

TEST_P(Allocation, AStepInMicroBatchesWithLionAndAnAverageAllocatesNothing) {
  const ThreadLimit one(1);
  train::TrainerOptions options{.schedule = {.base = 1e-4, .steps = 100}};
  options.optimizer = optim::LionOptions{};
  options.ema_decay = 0.9;
  options.layer_decay = 0.9;
  options.micro_batch = 7;
  train::Trainer<float> trainer(model_, options);
  for (int i = 0; i < 2; ++i) trainer.step(pixels_, ids_);
  EXPECT_EQ(test::allocations_of([&] { trainer.step(pixels_, ids_); }), 0);
}

TEST_P(Allocation, InferenceAllocatesNothing) {
  const ThreadLimit one(1);
  Workspace workspace;
  Tensor<float, 2> features({24, model_.embed_dim()});
  const auto run = [&](Index count) {
    model_.encode_image(pixels_.view().slice(0, count), features.view().slice(0, count), workspace);
    model_.encode_text(ids_.view().slice(0, count), features.view().slice(0, count), workspace);
  };
  for (int i = 0; i < 2; ++i) run(24);
  EXPECT_EQ(test::allocations_of([&] { run(24); }), 0);
  EXPECT_EQ(test::allocations_of([&] { run(5); }), 0);
}

TEST(AllocationCount, SeesAllocations) {
  if (COUPLET_TEST_COUNTS_ALLOCATIONS == 0) GTEST_SKIP() << "the sanitizer has its own allocator";
  EXPECT_EQ(test::allocations_of([] { Tensor<float, 1> memory({1000}); }), 1);
}

INSTANTIATE_TEST_SUITE_P(Precisions, Allocation, testing::Values(Precision::float32, Precision::bfloat16),
                         [](const auto& precision) { return to_string(precision.param); });

}  // namespace
