#include "couplet/train/trainer.hpp"

#include <limits>

#include "couplet/models/initialize.hpp"
#include "couplet/train/lock_tower.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::LossKind;
using train::Trainer;

ClipConfig trainer_config() {
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

  explicit Batch(std::int64_t step)
      : pixels(test::random_tensor<float, 4>({16, 3, 8, 8}, static_cast<std::uint64_t>(100 + step))) {
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
  Clip<float> model(siglip ? as_siglip(trainer_config()) : trainer_config());
  initialize(model, 1);
  return model;
}

testing::AssertionResult same_parameters(Clip<float>& a, Clip<float>& b) {
  std::vector<Parameter<float>*> list;
  nn::visit_state(a, [&](std::string_view, Parameter<float>& p) { list.push_back(&p); });
  std::size_t i = 0;
  testing::AssertionResult result = testing::AssertionSuccess();
  nn::visit_state(b, [&](std::string_view name, Parameter<float>& p) {
    const auto same = test::same_bits(list[i++]->value, p.value);
    if (!same) result = testing::AssertionFailure() << name << ": " << same.message();
  });
  return result;
}

TEST(Trainer, LearnsAFixedBatch) {
  ClipConfig coca = as_coca(trainer_config());
  coca.text.pad_token_id = 39;
  coca.vision.pooler_heads = 2;
  for (const ClipConfig& config : {trainer_config(), as_siglip(trainer_config()), coca}) {
    Clip<float> model(config);
    initialize(model, 1);
    Trainer<float> trainer(model, options(model.has_logit_bias() ? LossKind::siglip : LossKind::clip));
    const Batch batch(0);
    const double first = trainer.step(batch.pixels, batch.ids).loss;
    double last = first;
    for (int i = 0; i < 39; ++i) last = trainer.step(batch.pixels, batch.ids).loss;
    EXPECT_LT(last, 0.6 * first) << "text pool " << static_cast<int>(config.text.pool);
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

TEST(Trainer, GradCheckpointingGivesTheSameBits) {
  for (const bool locked : {false, true}) {
    for (const Index micro_batch : {0, 5}) {
      std::vector<Clip<float>> models;
      for (const bool grad_checkpointing : {false, true}) {
        models.push_back(initial_model());
        if (locked) train::lock_image_tower(models.back().visual, 2);
        train::TrainerOptions o = options();
        o.micro_batch = micro_batch;
        o.grad_checkpointing = grad_checkpointing;
        Trainer<float> trainer(models.back(), o);
        for (std::int64_t step = 0; step < 5; ++step) {
          const Batch batch(step);
          (void)trainer.step(batch.pixels, batch.ids);
        }
      }
      EXPECT_TRUE(same_parameters(models[0], models[1])) << "micro-batch " << micro_batch << ", locked " << locked;
    }
  }
}

/// The features of one tower alone stand for its inputs, in the same bits.
TEST(Trainer, FeaturesOfAFrozenTowerStandForItsInputs) {
  for (const bool text : {false, true}) {
    std::vector<Clip<float>> models;
    for (const bool known : {false, true}) {
      models.push_back(initial_model());
      Clip<float>& model = models.back();
      text ? nn::set_trainable(model.text, false) : nn::set_trainable(model.visual, false);
      Trainer<float> trainer(model, options());
      for (std::int64_t step = 0; step < 3; ++step) {
        const Batch batch(step);
        Tensor<float, 2> features({16, 16});
        Workspace workspace;
        text ? model.encode_text(batch.ids, features, workspace)
             : model.encode_image(batch.pixels, features, workspace);
        if (!known) {
          (void)trainer.step(batch.pixels, batch.ids);
        } else if (text) {
          (void)trainer.step_features(Pictures<float>{batch.pixels}, features);
        } else {
          (void)trainer.step_features(features, batch.ids);
        }
      }
      const Batch batch(3);
      const Tensor<float, 2> features({16, 16}), too_few({15, 16});
      EXPECT_THROW((void)trainer.step_features(Pictures<float>{batch.pixels}, text ? too_few : features),
                   std::invalid_argument);
      EXPECT_THROW((void)trainer.step_features(text ? features : too_few, batch.ids), std::invalid_argument);
    }
    EXPECT_TRUE(same_parameters(models[0], models[1])) << (text ? "text" : "image");
  }
}

TEST(Trainer, WeightsArePackedAtUseWhileTheyLearnAndForInferenceInBetween) {
  Clip<float> model = initial_model();
  model.prepare();
  nn::set_trainable(model.visual, false);
  Trainer<float> trainer(model, options());
  const auto encode = [&] {
    const Batch batch(3);
    Tensor<float, 2> features({16, 16});
    Workspace workspace;
    model.encode_text(batch.ids, features, workspace);
    return features;
  };
  for (std::int64_t step = 0; step < 3; ++step) {
    const Batch batch(step);
    (void)trainer.step(batch.pixels, batch.ids);
    Tensor<float, 2> kept;
    trainer.with_average([&] { kept = encode(); });
    EXPECT_TRUE(test::same_bits(kept, encode()));
    model.prepare();  // what the caller packs must not stay when the weights change
  }
  const Tensor<float, 2> before = encode();
  const Batch batch(4);
  (void)trainer.step(batch.pixels, batch.ids);
  EXPECT_FALSE(test::same_bits(before, encode()));
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

TEST(Trainer, NonFiniteGradientsSkipTheStepAndChangeNothing) {
  for (const Index micro_batch : {0, 5}) {
    Clip<float> model = initial_model();
    train::TrainerOptions o = options();
    o.micro_batch = micro_batch;
    o.ema_decay = 0.9;
    Trainer<float> trainer(model, o);
    const Batch good(0);
    (void)trainer.step(good.pixels, good.ids);
    const Clip<float> before = model;
    Batch bad(1);
    bad.pixels(3, 1, 2, 2) = std::numeric_limits<float>::quiet_NaN();
    const train::StepReport report = trainer.step(bad.pixels, bad.ids);
    EXPECT_NE(report.skipped.find("not finite"), std::string::npos);
    EXPECT_NE(report.skipped.find("the first in visual."), std::string::npos) << report.skipped;
    Clip<float> expected = before;
    EXPECT_TRUE(same_parameters(expected, model));
    EXPECT_EQ(trainer.progress.step, 2);
    EXPECT_EQ(trainer.progress.skipped, 1);
    EXPECT_EQ(trainer.progress.skipped_in_row, 1);
    EXPECT_TRUE(trainer.step(good.pixels, good.ids).skipped.empty());
    EXPECT_EQ(trainer.progress.skipped_in_row, 0);
    EXPECT_EQ(trainer.progress.skipped, 1);
  }
}

TEST(Trainer, ResumedRunsContinueWithTheSameBitsWithLionAverageAndASkippedStep) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("last.safetensors");
  train::TrainerOptions o = options();
  o.optimizer = optim::LionOptions{};
  o.schedule.base = 2e-4;
  o.ema_decay = 0.95;
  o.layer_decay = 0.8;
  const auto step = [](Trainer<float>& trainer, std::int64_t number) {
    Batch batch(number);
    if (number == 2) batch.pixels(0, 0, 0, 0) = std::numeric_limits<float>::infinity();
    (void)trainer.step(batch.pixels, batch.ids);
  };
  Clip<float> straight = initial_model();
  Trainer<float> whole(straight, o);
  for (std::int64_t number = 0; number < 9; ++number) {
    step(whole, number);
    if (number == 4) whole.save(path, "run");
  }
  Clip<float> resumed = initial_model();
  Trainer<float> rest(resumed, o);
  rest.load(path, "run");
  EXPECT_EQ(rest.progress.skipped, 1);
  for (std::int64_t number = 5; number < 9; ++number) step(rest, number);
  EXPECT_TRUE(same_parameters(straight, resumed));
  Clip<float> average = initial_model();
  whole.with_average([&] { average = straight; });
  EXPECT_FALSE(same_parameters(straight, average));
  rest.with_average([&] { EXPECT_TRUE(same_parameters(average, resumed)); });
  EXPECT_TRUE(same_parameters(straight, resumed));
}

/// Batch norm's running statistics are part of the state, of the average, and stay when a step is skipped.
TEST(Trainer, ResumedRunsOfAResidualNetworkContinueWithTheSameBits) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("last.safetensors");
  ClipConfig config = trainer_config();
  config.vision.image_height = config.vision.image_width = 32;
  config.vision.width = 4;
  config.vision = as_resnet(config.vision, {1, 1, 1, 1});
  Clip<float> straight(config);
  initialize(straight, 1);
  Clip<float> resumed = straight, average = straight;
  train::TrainerOptions o = options();
  o.ema_decay = 0.9;
  o.micro_batch = 8;
  const auto step = [](Trainer<float>& trainer, std::int64_t number) {
    const Batch batch(number);
    auto pixels = test::random_tensor<float, 4>({16, 3, 32, 32}, 100 + static_cast<std::uint64_t>(number));
    if (number == 1) pixels(0, 0, 0, 0) = std::numeric_limits<float>::infinity();
    return trainer.step(pixels, batch.ids);
  };
  Trainer<float> whole(straight, o);
  for (std::int64_t number = 0; number < 6; ++number) {
    EXPECT_EQ(step(whole, number).skipped.empty(), number != 1);
    if (number == 2) whole.save(path, "run");
  }
  // Two micro-batches a step, each counted once. The endless pixel is in one of the skipped step's.
  EXPECT_EQ(*straight.visual.resnet().stem[0].bn.num_batches_tracked.value.data(), 11);
  Trainer<float> rest(resumed, o);
  rest.load(path, "run");
  for (std::int64_t number = 3; number < 6; ++number) (void)step(rest, number);
  EXPECT_TRUE(same_parameters(straight, resumed));
  whole.with_average([&] { average = straight; });
  EXPECT_FALSE(same_parameters(straight, average));
  rest.with_average([&] { EXPECT_TRUE(same_parameters(average, resumed)); });
}

TEST(Trainer, LayerDecaySlowsDownWhatLiesDeep) {
  Clip<float> plain = initial_model(), slowed = initial_model(), initial = initial_model();
  train::TrainerOptions o = options();
  o.optimizer = optim::AdamWOptions{.weight_decay = 0};
  Trainer<float> trainer(plain, o);
  o.layer_decay = 0.5;
  Trainer<float> decayed(slowed, o);
  const Batch batch(0);
  (void)trainer.step(batch.pixels, batch.ids);
  (void)decayed.step(batch.pixels, batch.ids);
  const auto moved = [](const Parameter<float>& from, const Parameter<float>& to) {
    return static_cast<double>(to.value.data()[0] - from.value.data()[0]);
  };
  EXPECT_NEAR(moved(initial.visual.transformer().conv1.weight, slowed.visual.transformer().conv1.weight) /
                  moved(initial.visual.transformer().conv1.weight, plain.visual.transformer().conv1.weight),
              0.125, 1e-3);  // 2 layers: 0.5^3
  EXPECT_TRUE(
      test::same_bits(plain.visual.transformer().proj.weight.value, slowed.visual.transformer().proj.weight.value));
  EXPECT_EQ(plain.log_scale(), slowed.log_scale());
}

TEST(Trainer, TheSigmoidLossNeedsABias) {
  Clip<float> model = initial_model();
  EXPECT_THROW((Trainer<float>(model, options(LossKind::siglip))), std::invalid_argument);
}

TEST(Trainer, FrozenTowersStayAsTheyAre) {
  Clip<float> model = initial_model();
  nn::set_trainable(model.visual, false);
  const Parameter<float> before = model.visual.transformer().proj.weight;
  Trainer<float> trainer(model, options());
  for (std::int64_t step = 0; step < 3; ++step) {
    const Batch batch(step);
    (void)trainer.step(batch.pixels, batch.ids);
  }
  EXPECT_TRUE(test::same_bits(before.value, model.visual.transformer().proj.weight.value));
}

TEST(Trainer, RefusesAModelOfPackedWeightsAlone) {
  Clip<float> model = initial_model();
  model.prepare(Precision::float32, nn::Packing::only);
  EXPECT_THROW((Trainer<float>(model, options())), std::invalid_argument);
  nn::set_trainable(model.visual, false);
  EXPECT_THROW((Trainer<float>(model, options())), std::invalid_argument);
}

}  // namespace
