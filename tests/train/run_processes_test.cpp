// Training runs of several processes, played by threads.
#include <gtest/gtest.h>

#include <limits>
#include <mutex>
#include <set>

#include "couplet/data/scenes.hpp"
#include "couplet/train/run.hpp"
#include "support/damaged_scenes.hpp"
#include "support/distributed_checks.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"
#include "support/thread_world.hpp"

namespace {

using namespace couplet;

std::shared_ptr<const data::Dataset> shared_scenes(std::uint64_t seed, Index count) {
  return std::make_shared<data::SceneDataset>(data::SceneOptions{.seed = seed, .count = count, .image_size = 32});
}

train::RunOptions shared_options(const std::string& out, bool siglip) {
  train::RunOptions o;
  o.loss = siglip ? train::LossKind::siglip : train::LossKind::clip;
  o.batch_size = 9;
  o.steps = 8;
  o.lr = 1e-3;
  o.warmup = 2;
  o.grad_clip_norm = 1;
  o.ema_decay = 0.9;
  o.crop_scale = 0.8;
  o.micro_batch = 2;
  o.workers = 0;
  o.out = out;
  return o;
}

/// Runs on `processes` of them; what the first one came to.
train::RunResult run_shared(int processes, const train::RunOptions& o,
                            const std::shared_ptr<const data::Dataset>& data = shared_scenes(1, 36),
                            const std::shared_ptr<const data::Dataset>& val_data = nullptr) {
  train::RunResult result;
  test::ThreadWorld::run(processes, [&](distributed::Communicator& communicator) {
    // Others begin with other weights, and get the first one's.
    const auto seed = static_cast<std::uint64_t>(1 + communicator.rank());
    Pretrained<float> bundle = test::small_bundle(o.loss == train::LossKind::siglip, seed);
    train::RunObserver silent;
    const train::RunResult mine = train::TrainingRun(bundle, data, val_data, o, communicator).run(silent);
    EXPECT_EQ(mine.finished, o.stop_after == 0);
    if (communicator.rank() == 0) result = mine;
  });
  return result;
}

/// The largest difference between the parameters of two runs' checkpoints.
double state_difference(const std::string& a, const std::string& b) {
  const Pretrained<float> first = load_pretrained(a), second = load_pretrained(b);
  std::vector<float> values;
  Clip<float> one = first.model, other = second.model;
  one.visit_parameters([&](std::string_view, Parameter<float>& p) {
    values.insert(values.end(), p.value.data(), p.value.data() + p.size());
  });
  double difference = 0;
  std::size_t at = 0;
  other.visit_parameters([&](std::string_view, Parameter<float>& p) {
    for (Index i = 0; i < p.size(); ++i) {
      difference = std::max(difference, static_cast<double>(std::abs(p.value.data()[i] - values[at++])));
    }
  });
  EXPECT_EQ(at, values.size());
  return difference;
}

std::string bytes_of(const std::string& path) { return io::read_file(path, 1U << 28U); }

TEST(TrainingRunOfSeveral, ComesToTheModelOfOne) {
  for (const bool siglip : {false, true}) {
    const test::TemporaryDirectory folder;
    const auto data = shared_scenes(1, 36), val_data = siglip ? nullptr : shared_scenes(2, 12);
    const train::RunResult one = run_shared(1, shared_options(folder.path("1"), siglip), data);
    for (const int processes : {2, 4}) {
      const std::string out = folder.path(std::to_string(processes));
      const train::RunResult several = run_shared(processes, shared_options(out, siglip), data, val_data);
      EXPECT_EQ(several.step, 8);
      EXPECT_NEAR(several.last_loss, one.last_loss, 1e-4 * one.last_loss);
      // AdamW divides by the root of the second moment: where a gradient is all rounding, a step of lr is free.
      EXPECT_LT(state_difference(folder.path("1"), out), 5e-3);
      const std::string log = bytes_of(out + "/log.jsonl");
      EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), siglip ? 8 : 8 + 2) << "one process writes";
    }
  }
}

TEST(TrainingRunOfSeveral, HasTheSameBitsInEveryRun) {
  const test::TemporaryDirectory folder;
  for (const char* const name : {"a", "b"}) (void)run_shared(3, shared_options(folder.path(name), false));
  EXPECT_TRUE(bytes_of(folder.path("a/model.safetensors")) == bytes_of(folder.path("b/model.safetensors")));
}

TEST(TrainingRunOfSeveral, IsResumedByAnotherNumberOfProcesses) {
  const test::TemporaryDirectory folder;
  const train::RunResult straight = run_shared(1, shared_options(folder.path("straight"), false));
  train::RunOptions o = shared_options(folder.path("stopped"), false);
  for (const auto& [processes, stop_after] : {std::pair{2, 3}, {4, 6}, {1, 0}}) {
    o.stop_after = stop_after;
    const train::RunResult result = run_shared(processes, o);
    EXPECT_EQ(result.step, stop_after == 0 ? 8 : stop_after);
    EXPECT_EQ(result.finished, stop_after == 0);
    o.resume = true;
    if (stop_after == 0) {
      EXPECT_NEAR(result.last_loss, straight.last_loss, 1e-4 * straight.last_loss);
    }
  }
  EXPECT_LT(state_difference(folder.path("straight"), folder.path("stopped")), 5e-3);
}

/// Ten steps of double: three by two processes, three by four, the rest by one, each from the state that the one before
/// saved. What is left of the difference is rounding.
TEST(TrainerOfSeveral, GoesOnWithAnotherNumberOfProcessesToTheSameWeights) {
  constexpr Index steps = 10;
  const test::DistributedBatch<double> batch(false);
  const test::TemporaryDirectory folder;
  const train::TrainerOptions options{.schedule = {.base = 1e-3, .warmup = 2, .steps = steps}, .grad_clip_norm = 1};
  const auto train = [&](int processes, Index until, const std::string& path) {
    Clip<double> result = batch.model;
    test::ThreadWorld::run(processes, [&](distributed::Communicator& communicator) {
      Clip<double> model = batch.model;
      train::Trainer<double> trainer(model, options, communicator);
      if (communicator.rank() == 0 && std::filesystem::exists(path)) trainer.load(path, "{}");
      trainer.share_state();
      const Share mine = share_of(batch.pairs, communicator.rank(), processes);
      while (trainer.progress.step < until) {
        (void)trainer.step(batch.pixels.view().slice(mine.begin, mine.end),
                           batch.ids.view().slice(mine.begin, mine.end));
      }
      if (communicator.rank() != 0) return;
      trainer.save(path, "{}");
      result = model;
    });
    return result;
  };
  Clip<double> straight = train(1, steps, folder.path("straight"));
  for (const auto& [processes, until] : {std::pair<int, Index>{2, 3}, {4, 6}})
    train(processes, until, folder.path("parts"));
  Clip<double> parts = train(1, steps, folder.path("parts"));
  std::vector<const Parameter<double>*> expected;
  straight.visit_parameters([&](std::string_view, Parameter<double>& p) { expected.push_back(&p); });
  std::size_t number = 0;
  parts.visit_parameters([&](std::string_view name, Parameter<double>& p) {
    const Parameter<double>& other = *expected[number++];
    for (Index i = 0; i < p.size(); ++i) ASSERT_NEAR(p.value.data()[i], other.value.data()[i], 1e-8) << name;
  });
}

TEST(TrainingRunOfSeveral, CountsTheUnreadableSamplesOfAll) {
  const test::TemporaryDirectory folder;
  const auto damaged = std::make_shared<test::DamagedScenes>(36);
  EXPECT_EQ(run_shared(3, shared_options(folder.path("all"), false), damaged).unreadable.size(), 4U);
  const std::string log = bytes_of(folder.path("all/log.jsonl"));
  for (const int i : {4, 14, 24, 34}) {
    const std::string name = "damaged picture " + std::to_string(i);
    const std::size_t found = log.find(name);
    EXPECT_NE(found, std::string::npos) << i;
    EXPECT_EQ(log.find(name, found + 1), std::string::npos) << i;
  }
  train::RunOptions limited = shared_options(folder.path("limited"), false);
  limited.max_unreadable = 3;  // no process meets so many
  EXPECT_THROW((void)run_shared(3, limited, damaged), file_error);
}

TEST(TrainingRunOfSeveral, AnyProcessMayStopIt) {
  struct Impatient final : train::RunObserver {
    bool stop_requested() override { return ++asked > 5; }
    int asked = 0;
  };
  const test::TemporaryDirectory folder;
  test::ThreadWorld::run(3, [&](distributed::Communicator& communicator) {
    Pretrained<float> bundle = test::small_bundle();
    train::RunObserver patient;
    Impatient impatient;
    train::RunObserver& observer = communicator.rank() == 2 ? static_cast<train::RunObserver&>(impatient) : patient;
    const train::RunResult result =
        train::TrainingRun(bundle, shared_scenes(1, 36), nullptr, shared_options(folder.path(), false), communicator)
            .run(observer);
    EXPECT_EQ(result.step, 5);
    EXPECT_FALSE(result.finished);
  });
}

TEST(TrainingRunOfSeveral, UsesTheFeaturesThatTheFirstHasCached) {
  for (const bool lock_text : {false, true}) {
    const test::TemporaryDirectory folder;
    train::RunOptions o = shared_options(folder.path("one"), false);
    o.crop_scale = 1;
    (lock_text ? o.lock_text : o.lock_image) = true;
    o.cache_features = folder.path("features.safetensors");
    const train::RunResult one = run_shared(1, o);
    std::filesystem::remove(o.cache_features);
    o.out = folder.path("three");
    const train::RunResult three = run_shared(3, o);
    EXPECT_NEAR(three.last_loss, one.last_loss, 1e-4 * one.last_loss);
    EXPECT_LT(state_difference(folder.path("one"), folder.path("three")), 5e-3);
  }
}

TEST(TrainingRunOfSeveral, SkippedStepsNameTheSamplesOfAll) {
  const test::TemporaryDirectory folder;
  train::RunOptions o = shared_options(folder.path(), false);
  o.steps = 20;
  std::mutex mutex;
  std::set<std::string> messages;
  test::ThreadWorld::run(2, [&](distributed::Communicator& communicator) {
    Pretrained<float> bundle = test::small_bundle();
    bundle.model.visual.transformer().proj.weight.value.data()[5] = std::numeric_limits<float>::quiet_NaN();
    train::RunObserver silent;
    try {
      (void)train::TrainingRun(bundle, shared_scenes(1, 36), nullptr, o, communicator).run(silent);
    } catch (const std::runtime_error& error) {
      const std::lock_guard lock(mutex);
      messages.insert(error.what());
    }
  });
  ASSERT_EQ(messages.size(), 1U) << "all processes stop for the same reason";
  EXPECT_NE(messages.begin()->find("step 10: 10 steps in a row were skipped"), std::string::npos) << *messages.begin();
  EXPECT_EQ(std::count(messages.begin()->begin(), messages.begin()->end(), '\n'), 9) << *messages.begin();
}

TEST(TrainingRunOfSeveral, RefusesProcessesThatDoNotAgree) {
  const test::TemporaryDirectory folder;
  const auto run = [&](distributed::Communicator& communicator) {
    Pretrained<float> bundle = test::small_bundle();
    train::RunObserver silent;
    train::RunOptions o = shared_options(folder.path(), false);
    o.lr = communicator.rank() == 1 ? 1e-4 : 1e-3;
    (void)train::TrainingRun(bundle, shared_scenes(1, 36), nullptr, o, communicator).run(silent);
  };
  EXPECT_THROW(test::ThreadWorld::run(2, run), std::invalid_argument);
  train::RunOptions small = shared_options(folder.path(), false);
  small.batch_size = 2;
  EXPECT_THROW((void)run_shared(3, small), std::invalid_argument) << "no pair for each process";
}

}  // namespace
