#include "couplet/train/run_record.hpp"

#include <gtest/gtest.h>

#include "couplet/data/scenes.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::RunRecord;
using train::RunStatus;

std::string text_of(const std::string& path) { return io::read_file(path, 1U << 22U); }

train::StepReport report(std::int64_t step, const std::string& skipped = "") {
  return {.step = step,
          .loss = 1.0 / static_cast<double>(step),
          .grad_norm = 2,
          .learning_rate = 0.5,
          .logit_scale = 2.66,
          .skipped = skipped};
}

TEST(RunRecord, WritesNoNumbersOfASkippedStepButItsSamples) {
  const test::TemporaryDirectory folder;
  RunRecord record(folder.path(), 0, false);
  train::StepReport bad = report(1, "the loss is not finite");
  bad.loss = bad.grad_norm = std::numeric_limits<double>::quiet_NaN();
  record.step(bad, {.step = 1}, {"a", "b \"c\""});
  const io::Json line = io::Json::parse(text_of(folder.path("log.jsonl")), "log");
  EXPECT_EQ(line.find("loss"), nullptr);
  EXPECT_EQ(line.find("skipped")->as_string(), "the loss is not finite");
  EXPECT_EQ(line.find("samples")->items()[1].as_string(), "b \"c\"");
}

TEST(RunRecord, NamesEachUnreadableSampleOnce) {
  const test::TemporaryDirectory folder;
  RunRecord record(folder.path(), 0, false);
  record.unreadable({{3, "three"}}, {.step = 1});
  record.unreadable({{3, "three"}, {4, "four"}}, {.step = 2});
  const std::string log = text_of(folder.path("log.jsonl"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2);
}

TEST(RunRecord, AResumedRecordDrawsTheCurvesOfTheWholeRun) {
  const test::TemporaryDirectory folder;
  const auto page = [&](const RunRecord& record) { record.page({.title = "Run"}, nullptr, nullptr, {}); };
  {
    RunRecord record(folder.path(), 0, true);
    train::Evaluation evaluation{.images = 10, .texts = 10};
    evaluation.image_to_text.at_1 = 40;
    for (std::int64_t step = 1; step <= 5; ++step) {
      record.step(report(step), {.step = step}, {});
      if (step == 3) record.evaluation(evaluation, {.step = step});
    }
    page(record);
  }
  const std::string whole = text_of(folder.path("report.html"));
  EXPECT_NE(whole.find("40 %"), std::string::npos);
  RunRecord resumed(folder.path(), 4, true);
  resumed.step(report(5), {.step = 5}, {});
  page(resumed);
  EXPECT_EQ(text_of(folder.path("report.html")), whole);
}

}  // namespace
