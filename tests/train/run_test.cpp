#include "couplet/train/run.hpp"

#include <gtest/gtest.h>

#include "couplet/data/scenes.hpp"
#include "support/damaged_scenes.hpp"
#include "support/expect_near.hpp"
#include "support/file_size_limit.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::RunOptions;
using train::TrainingRun;

std::shared_ptr<const data::Dataset> scenes(std::uint64_t seed, Index count) {
  return std::make_shared<data::SceneDataset>(data::SceneOptions{.seed = seed, .count = count, .image_size = 32});
}

RunOptions options(const std::string& out) {
  RunOptions o;
  o.batch_size = 8;
  o.epochs = 3;
  o.lr = 1e-3;
  o.warmup = 2;
  o.grad_clip_norm = 1;
  o.crop_scale = 0.8;
  o.out = out;
  return o;
}

struct Outcome {
  Pretrained<float> bundle;
  train::RunResult result;
};

Outcome run(const RunOptions& o, const std::shared_ptr<const data::Dataset>& val = nullptr, bool siglip = false) {
  Outcome outcome{test::small_bundle(siglip), {}};
  train::RunObserver silent;
  outcome.result = TrainingRun(outcome.bundle, scenes(1, 36), val, o).run(silent);
  return outcome;
}

std::string weights(const std::string& folder) { return io::read_file(folder + "/model.safetensors", 1U << 28U); }

/// A run stopped in the middle of an epoch and resumed on one thread with other workers writes the bytes of a run that
/// never stopped. `change` sets the options of both.
template <class Change>
void expect_resumed_run_is_the_same(Change&& change) {
  const test::TemporaryDirectory straight_folder, stopped_folder;
  RunOptions o = options(straight_folder.path());
  change(o);
  const Outcome straight = run(o);
  o.out = stopped_folder.path();
  o.stop_after = 6;
  const Outcome stopped = run(o);
  EXPECT_FALSE(stopped.result.finished);
  EXPECT_EQ(stopped.result.step, 6);
  o.stop_after = 0;
  o.resume = true;
  o.workers = 2;
  const ThreadLimit other_thread_count(1);
  const Outcome resumed = run(o);
  EXPECT_EQ(resumed.result.step, 12);
  EXPECT_TRUE(weights(straight_folder.path()) == weights(stopped_folder.path()));
  EXPECT_EQ(straight.result.last_loss, resumed.result.last_loss);
}

TEST(TrainingRun, WritesAModelDirectoryCheckpointsAndALog) {
  const test::TemporaryDirectory folder;
  const Outcome outcome = run(options(folder.path()), scenes(2, 20));
  EXPECT_TRUE(outcome.result.finished);
  EXPECT_EQ(outcome.result.step, 12);  // 36 samples: 4 batches of 8 in each of 3 epochs
  const Pretrained<float> last = load_pretrained(folder.path());
  const auto images = test::random_images(2);
  EXPECT_TRUE(test::same_bits(last.encode_image(images), outcome.bundle.encode_image(images)));
  EXPECT_NO_THROW((void)load_pretrained(folder.path() + "/checkpoints/best"));
  const std::string log = io::read_file(folder.path() + "/log.jsonl", 1U << 20U);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 12 + 3);
  EXPECT_GE(outcome.result.best_score, 0);
}

TEST(TrainingRun, StoppedAndResumedInTheMiddleOfAnEpochGivesTheSameBits) {
  expect_resumed_run_is_the_same([](RunOptions&) {});
}

TEST(TrainingRun, ResumesWithTheSameBitsUnderGradientCaching) {
  expect_resumed_run_is_the_same([](RunOptions& o) { o.micro_batch = 3; });
}

TEST(TrainingRun, ResumesWithTheSameBitsWithPatchDropout) {
  expect_resumed_run_is_the_same([](RunOptions& o) {
    o.patch_dropout.rate = 0.5;
    o.micro_batch = 3;
  });
}

TEST(TrainingRun, PatchDropoutChangesWhatIsLearnt) {
  const test::TemporaryDirectory whole, part;
  RunOptions o = options(part.path());
  o.patch_dropout.rate = 0.5;
  (void)run(options(whole.path()));
  (void)run(o);
  EXPECT_FALSE(weights(whole.path()) == weights(part.path()));
  o.patch_dropout.rate = 1;
  Pretrained<float> bundle = test::small_bundle();
  EXPECT_THROW((TrainingRun(bundle, scenes(1, 36), nullptr, o)), std::invalid_argument);
}

TEST(TrainingRun, TenSkippedStepsInARowEndItAndNameTheSamples) {
  const test::TemporaryDirectory folder;
  Pretrained<float> bundle = test::small_bundle();
  bundle.model.visual.transformer().proj.weight.value.data()[5] = std::numeric_limits<float>::quiet_NaN();
  bundle.model.prepare();
  train::RunObserver silent;
  try {
    (void)TrainingRun(bundle, scenes(1, 36), nullptr, options(folder.path())).run(silent);
    FAIL() << "the run went on";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("step 10: 10 steps in a row were skipped"), std::string::npos) << message;
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 8) << message;  // the samples of a batch
  }
  const std::string log = io::read_file(folder.path("log.jsonl"), 1U << 20U);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 10);
  const io::Json line = io::Json::parse(log.substr(0, log.find('\n')), "log");
  EXPECT_NE(line.find("skipped"), nullptr);
  EXPECT_EQ(line.find("samples")->items().size(), 8U);
}

TEST(TrainingRun, NamesUnreadableSamplesOnceInTheLogUpToALimit) {
  const test::TemporaryDirectory folder;
  const auto damaged = std::make_shared<test::DamagedScenes>(36);
  RunOptions o = options(folder.path("model"));
  Pretrained<float> bundle = test::small_bundle();
  train::RunObserver silent;
  EXPECT_EQ(TrainingRun(bundle, damaged, nullptr, o).run(silent).unreadable.size(), 4U);
  const std::string log = io::read_file(folder.path("model/log.jsonl"), 1U << 20U);
  for (const int i : {4, 14, 24, 34}) {
    const std::size_t found = log.find("damaged picture " + std::to_string(i));
    EXPECT_NE(found, std::string::npos) << i;
    EXPECT_EQ(log.find("damaged picture " + std::to_string(i), found + 1), std::string::npos) << i;
  }
  o.out = folder.path("limited");
  o.max_unreadable = 3;
  EXPECT_THROW((void)TrainingRun(bundle, damaged, nullptr, o).run(silent), file_error);
}

/// With and without the cache, unreadable pictures included; and stopped, resumed, from the file of an earlier run.
TEST(TrainingRun, CachedFeaturesOfALockedTowerChangeNoBit) {
  const test::TemporaryDirectory folder;
  const auto damaged = std::make_shared<test::DamagedScenes>(36);
  const auto run_to = [&](const char* out, const std::string& cache, std::int64_t stop_after) {
    RunOptions o = options(folder.path(out));
    o.crop_scale = 1;
    o.lock_image = true;
    o.cache_features = cache;
    o.stop_after = stop_after;
    o.resume = true;
    Pretrained<float> bundle = test::small_bundle();
    train::RunObserver silent;
    return TrainingRun(bundle, damaged, nullptr, o).run(silent);
  };
  const std::string cache = folder.path("features.safetensors");
  EXPECT_EQ(run_to("plain", "", 0).unreadable.size(), 4U);
  EXPECT_EQ(run_to("cached", cache, 0).unreadable.size(), 4U);
  (void)run_to("resumed", cache, 5);
  (void)run_to("resumed", cache, 0);
  EXPECT_TRUE(weights(folder.path("plain")) == weights(folder.path("cached")));
  EXPECT_TRUE(weights(folder.path("plain")) == weights(folder.path("resumed")));
}

/// Scenes with a second caption each, which others share.
class TwoCaptions final : public data::Dataset {
 public:
  [[nodiscard]] Index size() const override { return whole_->size(); }
  [[nodiscard]] data::Sample sample(Index i) const override { return with_second(whole_->sample(i), i); }
  [[nodiscard]] data::Sample annotation(Index i) const override { return with_second(whole_->annotation(i), i); }

 private:
  static data::Sample with_second(data::Sample sample, Index i) {
    sample.captions.push_back("picture of class " + std::to_string(i % 5));
    return sample;
  }
  std::shared_ptr<const data::Dataset> whole_ = scenes(1, 36);
};

/// Random crops and several captions, part of the image tower locked, in micro-batches.
TEST(TrainingRun, CachedFeaturesOfALockedTextTowerChangeNoBit) {
  const test::TemporaryDirectory folder;
  const auto data = std::make_shared<TwoCaptions>();
  const auto run_to = [&](const char* out, const std::string& cache, Index unlocked_groups, std::int64_t stop_after) {
    RunOptions o = options(folder.path(out));
    o.lock_text = true;
    o.lock_image = unlocked_groups > 0;
    o.lock_image_unlocked_groups = unlocked_groups;
    o.micro_batch = 3;
    o.cache_features = cache;
    o.stop_after = stop_after;
    o.resume = true;
    Pretrained<float> bundle = test::small_bundle();
    train::RunObserver silent;
    return TrainingRun(bundle, data, nullptr, o).run(silent).last_loss;
  };
  const std::string cache = folder.path("features.safetensors");
  EXPECT_EQ(run_to("plain", "", 0, 0), run_to("cached", cache, 0, 0));
  const std::string made = io::read_file(cache, 1U << 20U);
  (void)run_to("resumed", cache, 0, 5);
  (void)run_to("resumed", cache, 0, 0);
  EXPECT_TRUE(weights(folder.path("plain")) == weights(folder.path("cached")));
  EXPECT_TRUE(weights(folder.path("plain")) == weights(folder.path("resumed")));
  EXPECT_EQ(run_to("groups", "", 2, 0), run_to("cached-groups", cache, 2, 0));
  EXPECT_TRUE(weights(folder.path("groups")) == weights(folder.path("cached-groups")));
  EXPECT_EQ(io::read_file(cache, 1U << 20U), made);
}

TEST(TrainingRun, CachedFeaturesNeedALockedTowerAndTheSamePictures) {
  Pretrained<float> bundle = test::small_bundle();
  RunOptions o = options("unused");
  o.crop_scale = 1;
  o.cache_features = "unused.safetensors";
  const auto make = [&] { TrainingRun(bundle, scenes(1, 36), nullptr, o); };
  EXPECT_THROW(make(), std::invalid_argument);
  o.lock_image = true;
  EXPECT_NO_THROW(make());
  o.lock_image_unlocked_groups = 1;
  EXPECT_THROW(make(), std::invalid_argument);
  o.lock_image_unlocked_groups = 0;
  o.crop_scale = 0.9;
  EXPECT_THROW(make(), std::invalid_argument);
  o.crop_scale = 1;
  o.flip = true;
  EXPECT_THROW(make(), std::invalid_argument);
  o.flip = false;
  o.affine.degrees = 10;
  EXPECT_THROW(make(), std::invalid_argument);
  o.affine = {};
  o.color_jitter.hue = 0.1;
  EXPECT_THROW(make(), std::invalid_argument);
  o.lock_text = true;
  EXPECT_THROW(make(), std::invalid_argument);  // both towers
  o.lock_image = false;
  EXPECT_NO_THROW(make());  // of captions, which random pictures do not change
}

TEST(TrainingRun, ResumesWithTheSameBitsWithUnlockedGroups) {
  expect_resumed_run_is_the_same([](RunOptions& o) {
    o.lock_image = true;
    o.lock_image_unlocked_groups = 2;
  });
}

TEST(TrainingRun, SavesEverySoManySteps) {
  const test::TemporaryDirectory folder;
  struct Watch final : train::RunObserver {
    explicit Watch(std::string file) : path(std::move(file)) {}
    void on_step(const train::StepReport& report, const train::RunStatus&) override {
      if (report.step == 4) saved_before = std::filesystem::exists(path);
    }
    std::string path;
    bool saved_before = false;
  } watch(folder.path("checkpoints/last.safetensors"));
  RunOptions o = options(folder.path());
  o.save_steps = 3;  // an epoch has four steps
  Pretrained<float> bundle = test::small_bundle();
  (void)TrainingRun(bundle, scenes(1, 36), nullptr, o).run(watch);
  EXPECT_TRUE(watch.saved_before);
}

TEST(TrainingRun, AFullDiskIsOneErrorAndLeavesTheLastCheckpoint) {
  const test::TemporaryDirectory folder, straight_folder;
  RunOptions o = options(folder.path());
  o.stop_after = 2;
  (void)run(o);
  o.stop_after = 0;
  o.resume = true;
  {
    const test::FileSizeLimit full(100000);
    EXPECT_THROW((void)run(o), file_error);
  }
  (void)run(o);
  (void)run(options(straight_folder.path()));
  EXPECT_TRUE(weights(folder.path()) == weights(straight_folder.path()));
}

TEST(TrainingRun, AveragedWeightsAreSavedEvaluatedAndBest) {
  const test::TemporaryDirectory folder;
  RunOptions o = options(folder.path());
  o.ema_decay = 0.9;
  o.val_frequency = 100;  // at the end alone
  (void)run(o, scenes(2, 20));
  EXPECT_FALSE(weights(folder.path()) == weights(folder.path("ema")));
  EXPECT_TRUE(weights(folder.path("ema")) == weights(folder.path("checkpoints/best")));
}

TEST(TrainingRun, ResumesWithTheSameBitsWithLionCooldownAndAverage) {
  expect_resumed_run_is_the_same([](RunOptions& o) {
    o.opt = train::OptimizerKind::lion;
    o.lr = 1e-4;
    o.lr_scheduler = optim::LearningRateSchedule::Kind::constant_cooldown;
    o.cooldown = 4;
    o.ema_decay = 0.9;
    o.layer_decay = 0.9;
  });
}

TEST(TrainingRun, ResumeRefusesOtherOptions) {
  const test::TemporaryDirectory folder;
  RunOptions o = options(folder.path());
  o.stop_after = 2;
  (void)run(o);
  o.resume = true;
  o.lr = 2e-3;
  EXPECT_THROW((void)run(o), file_error);
}

TEST(TrainingRun, TrainsSiglipWithTheSigmoidLoss) {
  const test::TemporaryDirectory folder;
  RunOptions o = options(folder.path());
  o.loss = train::LossKind::siglip;
  const Outcome outcome = run(o, nullptr, true);
  EXPECT_TRUE(outcome.result.finished);
  EXPECT_EQ(load_pretrained(folder.path()).model.config().family, ClipConfig::Family::siglip);
}

TEST(TrainingRun, AnObserverCanStopIt) {
  class Impatient final : public train::RunObserver {
   public:
    void on_step(const train::StepReport& report, const train::RunStatus& status) override {
      EXPECT_EQ(report.step, status.step);
      EXPECT_EQ(status.total_steps, 12);
      last_ = report.step;
    }
    bool stop_requested() override { return last_ >= 3; }

   private:
    std::int64_t last_ = 0;
  };
  const test::TemporaryDirectory folder;
  Pretrained<float> bundle = test::small_bundle();
  Impatient observer;
  const train::RunResult result = TrainingRun(bundle, scenes(1, 36), nullptr, options(folder.path())).run(observer);
  EXPECT_EQ(result.step, 3);
  EXPECT_FALSE(result.finished);
}

/// Parameters and running statistics of batch norm before and after a run of a residual network.
TEST(TrainingRun, ResidualNetworksLearnWithTheirBatchNormOrWithItFrozen) {
  for (const bool frozen : {false, true}) {
    const test::TemporaryDirectory folder;
    Pretrained<float> bundle = test::small_bundle();
    ClipConfig config = bundle.model.config();
    config.vision.width = 4;
    config.vision.heads = 2;
    config.vision = as_resnet(config.vision, {1, 1, 1, 1});
    bundle.model = Clip<float>(config);
    bundle.layout = Layout::open_clip;
    bundle.transform = image::Transform(image::open_clip_transform_config({32, 32}));
    initialize(bundle.model, 1);
    RunOptions o = options(folder.path());
    o.epochs = 1;
    o.freeze_batch_norm = frozen;
    train::RunObserver silent;
    (void)TrainingRun(bundle, scenes(1, 36), nullptr, o).run(silent);
    Pretrained<float> last = load_pretrained(folder.path());
    const nn::BatchNorm<float>& bn = last.model.visual.resnet().layers[1][0].conv2.bn;
    EXPECT_EQ(*bn.num_batches_tracked.value.data(), frozen ? 0 : 4);
    EXPECT_EQ(bn.running_mean.value.data()[0] == 0, frozen);
    EXPECT_EQ(bn.weight.value.data()[0] == 1, frozen);
    const auto images = test::random_images(2);
    EXPECT_TRUE(test::same_bits(last.encode_image(images), bundle.encode_image(images)));
  }
}

TEST(TrainingRun, CocaIsFineTunedAndSavedInOpenClipsLayout) {
  const test::TemporaryDirectory folder;
  Pretrained<float> bundle = test::small_bundle();
  ClipConfig config = as_coca(bundle.model.config());
  config.embed_dim = 32;
  config.vision.pooler_queries = 3;
  config.text.pad_token_id = bundle.tokenizer->pad_token_id();
  bundle.model = Clip<float>(config);
  bundle.layout = Layout::open_clip;
  bundle.transform = image::Transform(image::open_clip_transform_config({32, 32}));
  initialize(bundle.model, 1);
  const auto images = test::random_images(2);
  const Tensor<float, 2> before = bundle.encode_image(images);
  RunOptions o = options(folder.path());
  o.epochs = 1;
  train::RunObserver silent;
  (void)TrainingRun(bundle, scenes(1, 36), nullptr, o).run(silent);
  const Pretrained<float> last = load_pretrained(folder.path());
  EXPECT_EQ(last.model.config().text.pad_token_id, config.text.pad_token_id);
  EXPECT_FALSE(test::same_bits(last.encode_image(images), before));
  EXPECT_TRUE(test::same_bits(last.encode_image(images), bundle.encode_image(images)));
  EXPECT_TRUE(test::same_bits(last.encode_text("a red circle"), bundle.encode_text("a red circle")));
}

TEST(TrainingRun, RefusesRunsThatCannotBegin) {
  Pretrained<float> bundle = test::small_bundle();
  RunOptions o = options("unused");
  o.freeze_batch_norm = true;
  EXPECT_THROW((TrainingRun(bundle, scenes(1, 36), nullptr, o)), std::invalid_argument);  // a vision transformer
  o.freeze_batch_norm = false;
  EXPECT_THROW((TrainingRun(bundle, scenes(1, 7), nullptr, o)), std::invalid_argument);  // fewer than a batch
  o.lock_image = o.lock_text = true;
  EXPECT_THROW((TrainingRun(bundle, scenes(1, 36), nullptr, o)), std::invalid_argument);
  bundle.tokenizer.reset();
  EXPECT_THROW((TrainingRun(bundle, scenes(1, 36), nullptr, options("unused"))), std::invalid_argument);
}

}  // namespace
