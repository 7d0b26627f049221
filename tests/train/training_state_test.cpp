#include "couplet/train/training_state.hpp"

#include <gtest/gtest.h>

#include "couplet/io/file.hpp"
#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/optim/adamw.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::Progress;

ClipConfig state_config() {
  ClipConfig config = preset("tiny-32");
  config.vision.layers = config.text.layers = 1;
  return config;
}

std::string message_of_loading(const std::string& path, Clip<float>& model, const std::string& fingerprint) {
  optim::AdamW<float> optimizer(model);
  try {
    (void)train::load_training_state(path, train::state_tensors<float>(model, optimizer), fingerprint);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

TEST(TrainingState, KeepsProgressAndRefusesOtherRunsAndModels) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path() + "/state.safetensors";
  Clip<float> model(state_config());
  initialize(model, 3);
  optim::AdamW<float> optimizer(model);
  const Progress progress{.step = 12,
                          .skipped = 3,
                          .skipped_in_row = 1,
                          .epoch = 2,
                          .batch = 5,
                          .best_score = 31.25,
                          .best_step = 8,
                          .logit_scale_limit = 4.605170185988092};
  train::save_training_state(path, train::state_tensors<float>(model, optimizer), progress,
                             R"({"batch":8,"lr":0.001,"crop":[1,0.5],"old":true})");

  Clip<float> other(state_config());
  optim::AdamW<float> other_optimizer(other);
  EXPECT_EQ(train::load_training_state(path, train::state_tensors<float>(other, other_optimizer),
                                       R"({"batch":8,"lr":0.001,"crop":[1,0.5],"old":true})"),
            progress);
  EXPECT_EQ(other.visual.transformer().proj.weight.value.data()[7],
            model.visual.transformer().proj.weight.value.data()[7]);

  const std::string message =
      message_of_loading(path, other, R"({"batch":8,"lr":0.002,"crop":[1,0.25],"loss":"clip"})");
  EXPECT_EQ(message.substr(message.find("belongs")),
            "belongs to a run with other options:\n  lr: saved 0.001, now 0.002\n  crop: saved 1,0.5, now 1,0.25\n"
            "  loss: saved (nothing), now clip\n  old: saved true, now (nothing)");
  EXPECT_NE(message_of_loading(path, other, "not JSON").find("state.safetensors"), std::string::npos);
  ClipConfig wider = state_config();
  wider.embed_dim = 64;
  Clip<float> wide(wider);
  EXPECT_NE(message_of_loading(path, wide, R"({"batch":8,"lr":0.001,"crop":[1,0.5],"old":true})")
                .find("visual.proj.weight: expected (64, 128), found (128, 128)"),
            std::string::npos);
  ClipConfig deeper = state_config();
  deeper.text.layers = 2;
  Clip<float> deep(deeper);
  EXPECT_NE(message_of_loading(path, deep, R"({"batch":8,"lr":0.001,"crop":[1,0.5],"old":true})").find("missing"),
            std::string::npos);
}

/// One bit anywhere: in the weights, in a moment, in the progress.
TEST(TrainingState, DamageIsNoticed) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("state.safetensors");
  Clip<float> model(state_config());
  initialize(model, 3);
  optim::AdamW<float> optimizer(model);
  train::save_training_state(path, train::state_tensors<float>(model, optimizer), Progress{.step = 11}, "run");
  const std::string good = io::read_file(path, 1U << 28U);
  EXPECT_EQ(message_of_loading(path, model, "run"), "");
  const std::size_t step = good.find("step\\\":11") + 8;
  ASSERT_LT(step, good.size());
  for (const std::size_t at : {step, good.size() / 2, good.size() - 4}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    io::write_file(path, bad);
    EXPECT_NE(message_of_loading(path, model, "run").find("damaged: expected the checksum crc32:"), std::string::npos)
        << at << ": " << message_of_loading(path, model, "run");
  }
}

TEST(TrainingState, AnotherSafetensorsFileIsRefused) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path() + "/model.safetensors";
  checkpoint::save_safetensors(path, {}, {{"format", "pt"}});
  Clip<float> model(state_config());
  EXPECT_NE(message_of_loading(path, model, "").find("training state"), std::string::npos);
}

}  // namespace
