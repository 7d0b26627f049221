#include "couplet/train/run_log.hpp"

#include <gtest/gtest.h>

#include "support/temporary_directory.hpp"

namespace {

using couplet::train::RunLog;

std::string content(const std::string& path) { return couplet::io::read_file(path, 1U << 20U); }

TEST(RunLog, BeginsAnewOrKeepsTheLinesUntilAStep) {
  const couplet::test::TemporaryDirectory folder;
  const std::string path = folder.path() + "/log.jsonl";
  {
    RunLog log(path, 0);
    for (int step = 1; step <= 4; ++step) log.write("{\"step\":" + std::to_string(step) + "}");
  }
  {
    RunLog resumed(path, 2);
    resumed.write("{\"step\":3,\"again\":true}");
  }
  EXPECT_EQ(content(path), "{\"step\":1}\n{\"step\":2}\n{\"step\":3,\"again\":true}\n");
  RunLog fresh(path, 0);
  EXPECT_EQ(content(path), "");
}

TEST(RunLog, ALineThatWasCutOffIsDropped) {
  const couplet::test::TemporaryDirectory folder;
  const std::string path = folder.path() + "/log.jsonl";
  couplet::io::write_file(path, "{\"step\":1}\n{\"st");
  RunLog log(path, 10);
  EXPECT_EQ(content(path), "{\"step\":1}\n");
}

}  // namespace
