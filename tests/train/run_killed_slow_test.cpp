/// Runs killed with SIGKILL at random moments: nothing but the steps since the last checkpoint is lost, and in the end
/// the model has the bytes of a run that nobody killed. Runs are child processes; this one starts no thread.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "couplet/data/scenes.hpp"
#include "couplet/train/run.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

constexpr int kills = 40;
constexpr std::int64_t save_steps = 5;

/// Trains on (or from the start) in a child process, which ends with status 0 when the run is finished.
pid_t start_run(const std::string& out) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    const ThreadLimit serial(1);
    Pretrained<float> bundle = test::small_bundle();
    train::RunOptions o;
    o.batch_size = 8;
    o.steps = 600;
    o.lr = 1e-3;
    o.crop_scale = 0.8;
    o.ema_decay = 0.9;
    o.out = out;
    o.resume = true;
    o.save_steps = save_steps;
    o.save_frequency = 1;
    const auto data =
        std::make_shared<data::SceneDataset>(data::SceneOptions{.seed = 1, .count = 100, .image_size = 32});
    train::RunObserver silent;
    (void)train::TrainingRun(bundle, data, nullptr, o).run(silent);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

/// 0 when there is no checkpoint yet.
std::int64_t saved_step(const std::string& out) {
  const std::string path = out + "/checkpoints/last.safetensors";
  if (!std::filesystem::exists(path)) return 0;
  const checkpoint::SafetensorsFile file(path);
  return io::Json::parse(*file.find_metadata("progress"), path).find("step")->as_integer();
}

TEST(TrainingRunKilled, LosesNothingButTheStepsSinceTheLastCheckpoint) {
  const test::TemporaryDirectory folder;
  const std::string killed = folder.path("killed"), straight = folder.path("straight");
  Random random(static_cast<std::uint64_t>(::getpid()));
  std::int64_t step = 0;
  int while_running = 0;
  for (int i = 0; i < kills; ++i) {
    const pid_t child = start_run(killed);
    ::usleep(static_cast<useconds_t>(random.below(150000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "run " << i << " failed by itself";
    while_running += WIFSIGNALED(status) ? 1 : 0;
    ASSERT_GE(saved_step(killed), step);
    step = saved_step(killed);
  }
  RecordProperty("killed_while_running", while_running);
  EXPECT_GE(while_running, kills / 2);
  for (const std::string& out : {killed, straight}) {
    const pid_t child = start_run(out);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  for (const char* name : {"model.safetensors", "ema/model.safetensors", "checkpoints/last.safetensors"}) {
    EXPECT_TRUE(io::read_file(killed + "/" + name, 1U << 28U) == io::read_file(straight + "/" + name, 1U << 28U))
        << name;
  }
}

}  // namespace
