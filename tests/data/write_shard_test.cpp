#include "couplet/data/write_shard.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "couplet/data/scenes.hpp"
#include "couplet/data/webdataset.hpp"
#include "couplet/io/file.hpp"
#include "data/named_samples.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

TEST(WriteShard, KeepsPicturesCaptionsAndLabels) {
  const test::TemporaryDirectory folder;
  const SceneDataset scenes({.seed = 1, .count = 12, .image_size = 16});
  write_shard(scenes, folder.path("a.tar"));
  const WebDataset shard(folder.path("a.tar"));
  ASSERT_EQ(shard.size(), 12);
  for (Index i = 0; i < 12; ++i) {
    const Sample written = shard.sample(i), scene = scenes.sample(i);
    EXPECT_EQ(written.key, scene.key);
    EXPECT_EQ(written.captions, scene.captions);
    EXPECT_EQ(written.label, scene.label);
    EXPECT_EQ(written.image_bytes, image::encode_png(scene.image));
  }
}

TEST(WriteShard, KeepsSeveralCaptionsOfAPicture) {
  class Several final : public test::NamedSamples {
   public:
    Several() : NamedSamples("k", 1) {}
    [[nodiscard]] Sample sample(Index i) const override {
      Sample sample = annotation(i);
      sample.image_bytes = "\x89PNG";
      sample.captions = {"a cat", "a cat\non a mat", "un chat"};
      return sample;
    }
  };
  const test::TemporaryDirectory folder;
  write_shard(Several(), folder.path("a.tar"));
  const std::vector<std::string> expected = {"a cat", "a cat on a mat", "un chat"};
  EXPECT_EQ(WebDataset(folder.path("a.tar")).annotation(0).captions, expected);
}

TEST(WriteShard, CopiesEncodedPicturesAsTheyAre) {
  class Encoded final : public test::NamedSamples {
   public:
    Encoded() : NamedSamples("k", 2) {}
    [[nodiscard]] Sample sample(Index i) const override {
      Sample sample = annotation(i);
      sample.image_bytes = i == 0 ? "\xff\xd8jpeg" : "\x89PNG";
      return sample;
    }
  };
  const test::TemporaryDirectory folder;
  write_shard(Encoded(), folder.path("a.tar"));
  const TarReader tar(folder.path("a.tar"));
  ASSERT_EQ(tar.members().size(), 4u);
  EXPECT_EQ(tar.members()[0].name, "k0.jpg");
  EXPECT_EQ(tar.members()[2].name, "k1.png");
  EXPECT_EQ(tar.read(tar.members()[2], 10), "\x89PNG");
}

TEST(WriteShard, EqualDataGiveEqualBytes) {
  const test::TemporaryDirectory folder;
  for (const char* name : {"a.tar", "b.tar"}) write_shard(SceneDataset({.count = 4}), folder.path(name));
  EXPECT_EQ(io::read_file(folder.path("a.tar"), 1 << 20), io::read_file(folder.path("b.tar"), 1 << 20));
}

TEST(WriteShard, RefusesKeysThatAShardCannotHold) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW(write_shard(test::NamedSamples("a.b", 1), folder.path("a.tar")), std::invalid_argument);
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
}  // namespace couplet::data
