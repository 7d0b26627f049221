#include "couplet/train/trainer.hpp"

#include <limits>

#include "couplet/models/initialize.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::LossKind;
using train::Trainer;

ClipConfig small_config() {
  ClipConfig config;
  config.embed_dim = 16;
  config.vision = {
      .image_height = 8, .image_width = 8, .patch_size = 4, .width = 16, .layers = 2, .heads = 2, .mlp_width = 32};
  config.text = {.vocab_size = 40,
                 .context_length = 6,
                 .width = 16,
                 .layers = 2,
                 .heads = 2,
                 .mlp_width = 32,
                 .eot_token_id = 39,
                 .bos_token_id = 38,
                 .pad_token_id = 39};
  return config;
}

struct Batch {
  Tensor<float, 4> pixels;
  Tensor<std::int64_t, 2> ids{{16, 6}};

  explicit Batch(std::int64_t step) : pixels(test::random_tensor<float, 4>({16, 3, 8, 8}, 100 + step)) {
    Random random(7, static_cast<std::uint64_t>(step));
    for (Index i = 0; i < ids.size(); ++i) ids.data()[i] = static_cast<std::int64_t>(random.below(38));
    for (Index b = 0; b < 16; ++b) ids(b, 2 + b % 4) = 39;
  }
};

train::TrainerOptions options(LossKind loss = LossKind::clip) {
  train::TrainerOptions o;
  o.loss = loss;
  o.schedule = {.base = 2e-3, .warmup = 3, .steps = 40};
  o.grad_clip_norm = 1.0;
  return o;
}

Clip<float> initial_model(bool siglip = false) {
  Clip<float> model(siglip ? as_siglip(small_config()) : small_config());
  initialize(model, 1);
  return model;
}

testing::AssertionResult same_parameters(Clip<float>& a, Clip<float>& b) {
  std::vector<Parameter<float>*> list;
  a.visit_parameters([&](std::string_view, Parameter<float>& p) { list.push_back(&p); });
  std::size_t i = 0;
  testing::AssertionResult result = testing::AssertionSuccess();
  b.visit_parameters([&](std::string_view name, Parameter<float>& p) {
    const auto same = test::same_bits(list[i++]->value, p.value);
    if (!same) result = testing::AssertionFailure() << name << ": " << same.message();
  });
  return result;
}

TEST(Trainer, LearnsAFixedBatch) {
  for (const bool siglip : {false, true}) {
    Clip<float> model = initial_model(siglip);
    Trainer<float> trainer(model, options(siglip ? LossKind::siglip : LossKind::clip));
    const Batch batch(0);
    const double first = trainer.step(batch.pixels, batch.ids).loss;
    double last = first;
    for (int i = 0; i < 39; ++i) last = trainer.step(batch.pixels, batch.ids).loss;
    EXPECT_LT(last, 0.6 * first) << (siglip ? "siglip" : "clip");
  }
}

TEST(Trainer, TwentyStepsGiveTheSameBitsOnOneAndTwoThreads) {
  for (const Index micro_batch : {0, 5}) {
    std::vector<Clip<float>> results;
    for (const int threads : {1, 2}) {
      const ThreadLimit limit(threads);
      Clip<float> model = initial_model();
      train::TrainerOptions o = options();
      o.micro_batch = micro_batch;
      Trainer<float> trainer(model, o);
      for (std::int64_t step = 0; step < 20; ++step) {
        const Batch batch(step);
        (void)trainer.step(batch.pixels, batch.ids);
      }
      results.push_back(std::move(model));
    }
    EXPECT_TRUE(same_parameters(results[0], results[1])) << "micro-batch " << micro_batch;
  }
}

TEST(Trainer, ResumedRunsContinueWithTheSameBits) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path() + "/last.safetensors";
  Clip<float> straight = initial_model();
  Trainer<float> whole(straight, options());
  for (std::int64_t step = 0; step < 12; ++step) {
    const Batch batch(step);
    (void)whole.step(batch.pixels, batch.ids);
    if (step == 6) whole.save(path, "run");
  }
  Clip<float> resumed = initial_model();
  Trainer<float> rest(resumed, options());
  rest.load(path, "run");
  EXPECT_EQ(rest.progress.step, 7);
  for (std::int64_t step = 7; step < 12; ++step) {
    const Batch batch(step);
    (void)rest.step(batch.pixels, batch.ids);
  }
  EXPECT_TRUE(same_parameters(straight, resumed));
}

TEST(Trainer, NonFiniteGradientsStopTheRunAndChangeNothing) {
  Clip<float> model = initial_model();
  Trainer<float> trainer(model, options());
  Batch batch(0);
  batch.pixels(3, 1, 2, 2) = std::numeric_limits<float>::quiet_NaN();
  Clip<float> before = model;
  EXPECT_THROW((void)trainer.step(batch.pixels, batch.ids), std::runtime_error);
  EXPECT_TRUE(same_parameters(before, model));
  EXPECT_EQ(trainer.progress.step, 0);
}

TEST(Trainer, TheSigmoidLossNeedsABias) {
  Clip<float> model = initial_model();
  EXPECT_THROW((Trainer<float>(model, options(LossKind::siglip))), std::invalid_argument);
}

TEST(Trainer, FrozenTowersStayAsTheyAre) {
  Clip<float> model = initial_model();
  nn::set_trainable(model.visual, false);
  const Parameter<float> before = model.visual.proj.weight;
  Trainer<float> trainer(model, options());
  for (std::int64_t step = 0; step < 3; ++step) {
    const Batch batch(step);
    (void)trainer.step(batch.pixels, batch.ids);
  }
  EXPECT_TRUE(test::same_bits(before.value, model.visual.proj.weight.value));
}

}  // namespace
