#include "couplet/train/run_page.hpp"

#include <gtest/gtest.h>

#include "couplet/data/scenes.hpp"

namespace {

using namespace couplet;
using train::RunHistory;

TEST(RunHistory, TakesTheNumbersOfALog) {
  RunHistory history;
  const auto add = [&](const char* line) { history.add(io::Json::parse(line, "log")); };
  add(R"({"step":1,"loss":4.5,"lr":0.1,"grad_norm":3,"logit_scale":2.66})");
  add(R"({"step":2,"skipped":"not finite","samples":["a"]})");
  add(R"({"step":2,"evaluation":{"images":4,"image_to_text":{"R@1":25.0,"R@5":50},"text_to_image":{"R@10":75.5}}})");
  add(R"({"step":2,"note":"words"})");
  add(R"({"loss":1})");
  EXPECT_EQ(history.loss, (RunHistory::Curve{{1, 4.5}}));
  EXPECT_EQ(history.skipped, 1);
  EXPECT_EQ(history.recall[0][0], (RunHistory::Curve{{2, 25}}));
  EXPECT_EQ(history.recall[0][1], (RunHistory::Curve{{2, 50}}));
  EXPECT_EQ(history.recall[1][2], (RunHistory::Curve{{2, 75.5}}));
  EXPECT_TRUE(history.recall[1][0].empty());
}

TEST(RunPage, ShowsCurvesNoteOptionsAndSamplesWithTheirPictures) {
  const data::SceneDataset scenes({.seed = 1, .count = 4, .image_size = 32});
  RunHistory history;
  for (int step = 1; step <= 3; ++step) history.loss.emplace_back(step, 4.0 / step);
  history.recall[0][0] = {{3, 12.5}};
  train::Evaluation evaluation{.images = 4, .texts = 4};
  evaluation.samples.push_back({2, "a <red> circle", {{"a <red> circle", 0.5}, {"a blue square", 0.25}}});
  evaluation.samples.push_back({3, "a star", {{"a ring", 0.75}}});
  const std::string page =
      train::run_page({.title = "Run", .subtitle = "a model", .note = "a health note", .options_json = "{\"lr\": 0.1}"},
                      history, &evaluation, &scenes, {})
          .str();
  for (const char* part : {"a health note", "a model", "12.5 %", "class=\"card good\"", "class=\"card bad\"",
                           "a &lt;red&gt; circle", "a ring", "&quot;lr&quot;: 0.1", "From image to text"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  std::size_t pictures = 0;
  for (std::size_t at = 0; (at = page.find("data:image/png", at)) != std::string::npos; ++at) ++pictures;
  EXPECT_EQ(pictures, 2U);
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

TEST(RunPage, NeedsNothing) {
  EXPECT_NE(train::run_page({.title = "Run"}, {}, nullptr, nullptr, {}).str().find("</html>"), std::string::npos);
}

}  // namespace
