#include "couplet/data/webdataset.hpp"

#include <gtest/gtest.h>

#include <string>

#include "couplet/io/file.hpp"
#include "data/tar_bytes.hpp"
#include "support/file_errors.hpp"
#include "support/shared_directory.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

using test::file_error_of;
using test::tar_end;
using test::tar_member;

class WebDatasetTest : public testing::Test {
 protected:
  WebDataset open(const std::string& members) {
    io::write_file(path_, members + tar_end());
    return WebDataset(path_);
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.path("shard.tar");
};

TEST_F(WebDatasetTest, GroupsMembersByKey) {
  const WebDataset shard =
      open(tar_member("a.png", "A") + tar_member("a.txt", " a cat \r\n") + tar_member("a.json", "{}") +
           tar_member("x/b.cls", "17\n") + tar_member("x/b.JPG", "B") + tar_member("c.jpeg", "C"));
  ASSERT_EQ(shard.size(), 3);
  const Sample a = shard.sample(0), b = shard.sample(1), c = shard.sample(2);
  EXPECT_EQ(a.key, "a");
  EXPECT_EQ(a.source, path_ + ": a.png");
  EXPECT_EQ(a.image_bytes, "A");
  EXPECT_EQ(a.captions, std::vector<std::string>{" a cat"});
  EXPECT_FALSE(a.label);
  EXPECT_EQ(b.key, "x/b");
  EXPECT_EQ(b.label, 17);
  EXPECT_TRUE(b.captions.empty());
  EXPECT_EQ(c.image_bytes, "C");
  EXPECT_TRUE(shard.annotation(0).image_bytes.empty());
  EXPECT_EQ(shard.annotation(0).captions, a.captions);
}

TEST_F(WebDatasetTest, TakesLinesForCaptions) {
  const WebDataset shard = open(tar_member("a.png", "") + tar_member("a.txt", "a cat\r\n\n  a cat on a mat \nun chat") +
                                tar_member("b.png", "") + tar_member("b.txt", " \n"));
  EXPECT_EQ(shard.annotation(0).captions, (std::vector<std::string>{"a cat", "  a cat on a mat", "un chat"}));
  EXPECT_EQ(shard.annotation(1).captions, std::vector<std::string>{""});
}

TEST_F(WebDatasetTest, KeysEndAtTheFirstDotOfTheLastPart) {
  const WebDataset shard = open(tar_member("v1.0/a.png", "1") + tar_member("v1.0/a.seg.png", "2") +
                                tar_member(".hidden.png", "3") + tar_member("README", "4"));
  ASSERT_EQ(shard.size(), 1);
  EXPECT_EQ(shard.sample(0).key, "v1.0/a");
  EXPECT_EQ(shard.sample(0).image_bytes, "1");
}

TEST_F(WebDatasetTest, CountsKeysWithoutAPicture) {
  const WebDataset shard = open(tar_member("a.txt", "a") + tar_member("b.png", "") + tar_member("c.cls", "1"));
  EXPECT_EQ(shard.size(), 1);
  EXPECT_EQ(shard.without_picture(), 2);
}

TEST_F(WebDatasetTest, RefusesTwoPicturesOfOneKey) {
  const std::string message =
      file_error_of([&] { open(tar_member("a.png", "") + tar_member("b.png", "") + tar_member("a.jpg", "")); });
  EXPECT_EQ(message, path_ + ": members 'a.png' and 'a.jpg' have the same part in sample 'a'");
}

TEST_F(WebDatasetTest, RefusesLabelsThatAreNoIndex) {
  for (const char* label : {"", "-1", "cat", "1 2", "1\n2", "1.0", "99999999999999999999"}) {
    const WebDataset shard = open(tar_member("a.png", "") + tar_member("a.cls", label));
    const std::string message = file_error_of([&] { (void)shard.sample(0); });
    EXPECT_NE(message.find("member 'a.cls': expected the index of a class"), std::string::npos) << message;
  }
}

TEST_F(WebDatasetTest, RefusesSamplesOutOfRange) {
  const WebDataset shard = open(tar_member("a.png", ""));
  EXPECT_THROW((void)shard.sample(1), std::invalid_argument);
  EXPECT_THROW((void)shard.annotation(-1), std::invalid_argument);
}

TEST(WebDataset, ReadsTheEmojiShards) {
  const std::string shared = test::shared_directory();
  if (shared.empty()) GTEST_SKIP() << test::no_shared_directory;
  for (const auto& [name, pairs] : {std::pair<const char*, Index>{"noto.tar", 3299}, {"blob.tar", 2477}}) {
    const WebDataset shard(shared + "/data/emoji/" + name);
    ASSERT_EQ(shard.size(), pairs);
    EXPECT_EQ(shard.without_picture(), 0);
    for (Index i = 0; i < pairs; ++i) {
      const Sample sample = shard.sample(i);
      ASSERT_EQ(sample.image_bytes.compare(0, 4, "\x89PNG"), 0) << sample.source;
      ASSERT_EQ(sample.captions.size(), 1u);
      ASSERT_FALSE(sample.captions[0].empty());
    }
    EXPECT_EQ(shard.annotation(0).captions[0], "mahjong red dragon");
  }
}

}  // namespace
}  // namespace couplet::data
