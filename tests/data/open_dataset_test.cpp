#include "couplet/data/open_dataset.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "couplet/data/tar_writer.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

using Paths = std::vector<std::string>;

TEST(ExpandPaths, SplitsAtCommasAndExpandsBraces) {
  EXPECT_EQ(expand_paths("a.tar"), Paths{"a.tar"});
  EXPECT_EQ(expand_paths("a.tar,b.tar"), (Paths{"a.tar", "b.tar"}));
  EXPECT_EQ(expand_paths("s-{008..010}.tar"), (Paths{"s-008.tar", "s-009.tar", "s-010.tar"}));
  EXPECT_EQ(expand_paths("s{2..0}"), (Paths{"s2", "s1", "s0"}));
  EXPECT_EQ(expand_paths("{a,b}{0..1},c"), (Paths{"a0", "a1", "b0", "b1", "c"}));
  EXPECT_EQ(expand_paths("s{9..10}"), (Paths{"s9", "s10"}));
}

TEST(ExpandPaths, RefusesWhatItDoesNotUnderstand) {
  for (const char* bad : {"", "a,", "a{", "a{b}", "a{}", "a{1..}", "a{0..99999999}", "{0..999}{0..999}"}) {
    EXPECT_THROW((void)expand_paths(bad), std::invalid_argument) << bad;
  }
}

class OpenDatasetTest : public testing::Test {
 protected:
  void shard(const std::string& name, const std::string& key) {
    TarWriter tar(folder_.path(name));
    tar.add(key + ".png", key);
    tar.add(key + ".txt", key);
    tar.finish();
  }
  test::TemporaryDirectory folder_;
};

TEST_F(OpenDatasetTest, PicksByExtension) {
  shard("a.tar", "one");
  io::write_file(folder_.path("l.tsv"), "filepath\ttitle\np.png\tcaption\n");
  io::write_file(folder_.path("l.CSV"), "filepath,title\np.png,caption\nq.png,c\n");
  io::write_file(folder_.path("p.png"), "P");
  EXPECT_EQ(open_dataset(folder_.path("a.tar"))->sample(0).key, "one");
  EXPECT_EQ(open_dataset(folder_.path("l.tsv"))->sample(0).image_bytes, "P");
  EXPECT_EQ(open_dataset(folder_.path("l.CSV"))->size(), 2);
  EXPECT_EQ(open_dataset(folder_.path("p.png"))->sample(0).key, folder_.path("p.png"));
  EXPECT_EQ(open_dataset(folder_.path())->sample(0).key, "p.png");
}

TEST_F(OpenDatasetTest, PutsShardsOneAfterTheOther) {
  shard("s-00.tar", "zero");
  shard("s-01.tar", "one");
  shard("with,comma{1}.tar", "comma");
  EXPECT_EQ(open_dataset(folder_.path("s-{00..01}.tar"))->annotation(1).key, "one");
  EXPECT_EQ(open_dataset(folder_.path("s-01.tar") + "," + folder_.path("s-00.tar"))->annotation(1).key, "zero");
  EXPECT_EQ(open_dataset(folder_.path("with,comma{1}.tar"))->annotation(0).key, "comma");
}

TEST_F(OpenDatasetTest, RefusesOtherKindsByName) {
  io::write_file(folder_.path("notes.txt"), "");
  io::write_file(folder_.path("a.tar.gz"), "");
  EXPECT_NE(test::file_error_of([&] { (void)open_dataset(folder_.path("notes.txt")); }).find("expected a webdataset"),
            std::string::npos);
  EXPECT_NE(test::file_error_of([&] { (void)open_dataset(folder_.path("a.tar.gz")); }).find("compressed"),
            std::string::npos);
  EXPECT_NE(test::file_error_of([&] { (void)open_dataset(folder_.path("missing.tar")); }).find("missing.tar"),
            std::string::npos);
}

}  // namespace
}  // namespace couplet::data
