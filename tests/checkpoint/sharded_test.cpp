#include "couplet/checkpoint/sharded.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json_writer.hpp"
#include "support/file_errors.hpp"
#include "support/shared_directory.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::file_error_of;
using test::TemporaryDirectory;

constexpr const char* index_name = "model.safetensors.index.json";

/// A folder with the shards 1.safetensors {a, b} and 2.safetensors {c}, and the index that says so.
class ShardedTest : public testing::Test {
 protected:
  ShardedTest() {
    save("1.safetensors", {{"a", 1.0F}, {"b", 2.0F}});
    save("2.safetensors", {{"c", 3.0F}});
    index({{"a", "1.safetensors"}, {"c", "2.safetensors"}, {"b", "1.safetensors"}});
  }

  void save(const std::string& name, const std::vector<std::pair<std::string, float>>& scalars) const {
    std::vector<TensorRecord> tensors;
    for (const auto& [tensor, value] : scalars) tensors.push_back(tensor_record(tensor, DType::f32, {}, &value));
    save_safetensors(folder_.path(name), tensors, {{"shard", name}});
  }
  void index(const std::vector<std::pair<std::string, std::string>>& weight_map) const {
    io::JsonWriter json;
    json.begin_object().key("metadata").begin_object().key("total_size").value(12).end_object();
    json.key("weight_map").begin_object();
    for (const auto& [tensor, file] : weight_map) json.key(tensor).value(file);
    io::write_file(folder_.path(index_name), json.end_object().end_object().str());
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }
  [[nodiscard]] Checkpoint open() const { return open_checkpoint(folder_.path()); }
  [[nodiscard]] std::string error() const {
    return file_error_of([&] { (void)open(); });
  }
  /// What is said of an index in which "c" is in `file`.
  [[nodiscard]] std::string error_of(const std::string& file) const {
    index({{"a", "1.safetensors"}, {"b", "1.safetensors"}, {"c", file}});
    return error();
  }
  const TemporaryDirectory folder_;
};

TEST_F(ShardedTest, FindsEveryTensorInItsFile) {
  const Checkpoint checkpoint = open();
  ASSERT_EQ(checkpoint.files().size(), 2U);
  ASSERT_EQ(checkpoint.tensors().size(), 3U);
  EXPECT_EQ(checkpoint.read<float>(*checkpoint.find("a")), std::vector<float>{1});
  EXPECT_EQ(checkpoint.read<float>(*checkpoint.find("b")), std::vector<float>{2});
  EXPECT_EQ(checkpoint.read<double>(*checkpoint.find("c")), std::vector<double>{3});
  EXPECT_EQ(checkpoint.path_of(*checkpoint.find("c")), path("2.safetensors"));
  EXPECT_EQ(checkpoint.find("d"), nullptr);
  EXPECT_EQ(checkpoint.data_bytes(), 12U);
  float out = 0;
  checkpoint.read_bytes(*checkpoint.find("b"), &out, sizeof out);
  EXPECT_EQ(out, 2.0F);
  EXPECT_EQ(checkpoint.metadata(), (Metadata{{"shard", "1.safetensors"}}));
}

TEST_F(ShardedTest, PrefersTheSingleFile) {
  save("model.safetensors", {{"x", 9.0F}});
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.files().size(), 1U);
  EXPECT_EQ(checkpoint.read<float>(*checkpoint.find("x")), std::vector<float>{9});
  EXPECT_EQ(checkpoint.find("a"), nullptr);
}

TEST_F(ShardedTest, OpensAnotherBaseNameAndAFileByItself) {
  save("open_clip_model.safetensors", {{"x", 9.0F}});
  EXPECT_NE(open_checkpoint(folder_.path(), "open_clip_model").find("x"), nullptr);
  EXPECT_NE(Checkpoint(SafetensorsFile(path("2.safetensors"))).find("c"), nullptr);
  EXPECT_EQ(file_error_of([&] { (void)open_checkpoint(folder_.path(), "pytorch"); }),
            folder_.path() + ": found neither pytorch.safetensors nor pytorch.safetensors.index.json");
}

// None of these names may be opened: the file beyond the folder is a good shard, and opening it would succeed.
TEST_F(ShardedTest, RefusesNamesThatAreNotPlain) {
  fs::create_directory(path("sub"));
  save("sub/2.safetensors", {{"c", 3.0F}});
  const std::string outside = (fs::path(folder_.path()) / "sub" / "2.safetensors").string();
  fs::remove(path("2.safetensors"));
  const std::string names[] = {"sub/2.safetensors",
                               "./2.safetensors",
                               "../2.safetensors",
                               "..",
                               ".",
                               "",
                               outside,
                               "sub\\2.safetensors",
                               "C:2.safetensors",
                               ".hidden",
                               "a..b",
                               std::string("1.safetensors\0", 14),
                               "1.safetensors ",
                               "1.safetensors\n",
                               "caf\xc3\xa9",
                               "~",
                               "$HOME",
                               std::string(256, 'a'),
                               "/dev/zero"};
  for (const std::string& name : names) {
    const std::string message = error_of(name);
    const std::string expected = path(index_name) +
                                 ": weight_map.c: expected the plain name of a file in the same folder, found \"" +
                                 printable(name) + "\"";
    EXPECT_EQ(message, expected);
  }
}

TEST_F(ShardedTest, RefusesAnIndexThatNamesItself) {
  EXPECT_EQ(error_of(index_name), path(index_name) + ": weight_map.c: the index names itself");
}

TEST_F(ShardedTest, RefusesAShardThatIsNotThere) {
  EXPECT_EQ(error_of("3.safetensors"), path(index_name) +
                                           ": names the file \"3.safetensors\", which cannot be found in its folder: "
                                           "No such file or directory");
}

TEST_F(ShardedTest, JudgesEveryNameBeforeItOpensAFile) {
  io::write_file(path("1.safetensors"), "damaged");
  EXPECT_NE(error_of("../c").find("weight_map.c: expected the plain name"), std::string::npos);
  EXPECT_NE(error_of("3.safetensors").find("cannot be found"), std::string::npos);
  EXPECT_EQ(error_of("2.safetensors"), path("1.safetensors") + ": expected at least 8 bytes, found 7");
}

TEST_F(ShardedTest, RefusesALinkOutOfTheFolder) {
  const TemporaryDirectory elsewhere;
  fs::rename(path("2.safetensors"), elsewhere.path("2.safetensors"));
  fs::create_symlink(elsewhere.path("2.safetensors"), path("2.safetensors"));
  EXPECT_NE(error().find("names the link \"2.safetensors\", which leaves its folder to \"" +
                         fs::canonical(elsewhere.path()).string() + "/2.safetensors\""),
            std::string::npos);
  // A folder whose name begins with this one's is not inside it.
  const std::string sibling = folder_.path() + "-sibling";
  fs::rename(elsewhere.path(), sibling);
  fs::remove(path("2.safetensors"));
  fs::create_symlink(sibling + "/2.safetensors", path("2.safetensors"));
  const std::string message = error();
  fs::remove_all(sibling);
  EXPECT_NE(message.find("leaves its folder"), std::string::npos) << message;
}

TEST_F(ShardedTest, FollowsALinkInsideTheFolder) {
  fs::create_directory(path("blobs"));
  fs::rename(path("2.safetensors"), path("blobs/abc"));
  fs::create_symlink("blobs/abc", path("2.safetensors"));
  EXPECT_EQ(error(), "");
  fs::remove(path("blobs/abc"));
  EXPECT_NE(error().find("names the link \"2.safetensors\", which leads nowhere"), std::string::npos);
}

TEST_F(ShardedTest, FollowsTheLinksOfTheHuggingFaceCache) {
  const TemporaryDirectory cache;
  const std::string snapshot = cache.path("models--x/snapshots/0123");
  fs::create_directories(snapshot);
  fs::create_directories(cache.path("models--x/elsewhere"));
  fs::create_directories(cache.path("models--x/blobs"));
  fs::create_directories(cache.path("models--y/blobs"));
  fs::copy(path("1.safetensors"), snapshot);
  fs::copy(path(index_name), snapshot);
  fs::copy(path("2.safetensors"), cache.path("models--x/blobs/abc"));
  fs::copy(path("2.safetensors"), cache.path("models--y/blobs/abc"));
  fs::create_symlink("../../blobs/abc", snapshot + "/2.safetensors");
  EXPECT_NE(open_checkpoint(snapshot).find("c"), nullptr);
  fs::copy(snapshot, cache.path("models--x/elsewhere/0123"),
           fs::copy_options::copy_symlinks | fs::copy_options::recursive);
  EXPECT_NE(file_error_of([&] { (void)open_checkpoint(cache.path("models--x/elsewhere/0123")); }).find("leaves its"),
            std::string::npos);
  fs::remove(snapshot + "/2.safetensors");
  fs::create_symlink("../../../models--y/blobs/abc", snapshot + "/2.safetensors");  // of another model
  EXPECT_NE(file_error_of([&] { (void)open_checkpoint(snapshot); }).find("leaves its folder"), std::string::npos);
}

TEST_F(ShardedTest, RefusesAnIndexAndShardsThatDisagree) {
  const std::string where = path(index_name) + ": ";
  index({{"a", "1.safetensors"}, {"b", "1.safetensors"}, {"c", "2.safetensors"}, {"d", "2.safetensors"}});
  EXPECT_EQ(error(), where + "tensor \"d\": expected in \"2.safetensors\", found nowhere");
  index({{"a", "1.safetensors"}, {"b", "2.safetensors"}, {"c", "2.safetensors"}});
  EXPECT_EQ(error(), where + "tensor \"b\": expected in \"2.safetensors\", found in \"1.safetensors\"");
  index({{"a", "1.safetensors"}, {"c", "2.safetensors"}});
  EXPECT_EQ(error(), where + "tensor \"b\" is in \"1.safetensors\", but not in weight_map");
}

TEST_F(ShardedTest, RefusesATensorInTwoShards) {
  save("2.safetensors", {{"b", 2.0F}, {"c", 3.0F}});
  EXPECT_EQ(error(), path("2.safetensors") + ": tensor \"b\" is in another file of the checkpoint too");
}

TEST_F(ShardedTest, RefusesAnIndexOfAnotherForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "line 1, byte 0: "},
      {"[]", "expected an object, found an array"},
      {"{}", "weight_map: missing"},
      {"{\"weight_map\": []}", "weight_map: expected an object, found an array"},
      {"{\"weight_map\": null}", "weight_map: expected an object, found null"},
      {"{\"weight_map\": {}}", "weight_map: expected at least one tensor"},
      {"{\"weight_map\": {\"a\": 1}}", "weight_map.a: expected a string, found 1"},
      {"{\"weight_map\": {\"a\": [\"1.safetensors\"]}}", "weight_map.a: expected a string, found an array"},
      {"{\"weight_map\": {\"a\": \"1.safetensors\", \"a\": \"2.safetensors\"}}", "the key \"a\" appears twice"},
  };
  for (const auto& [json, words] : cases) {
    io::write_file(path(index_name), json);
    EXPECT_EQ(error().substr(0, path(index_name).size() + 2), path(index_name) + ": ") << json;
    EXPECT_NE(error().find(words), std::string::npos) << json << ": " << error();
  }
}

TEST_F(ShardedTest, RefusesAnIndexOfTooManyFiles) {
  std::vector<std::pair<std::string, std::string>> map;
  for (int i = 0; i < 513; ++i) map.emplace_back("t" + std::to_string(i), "f" + std::to_string(i));
  index(map);
  EXPECT_EQ(error(), path(index_name) + ": weight_map: expected at most 512 files, found 513");
}

TEST_F(ShardedTest, RefusesATensorOfAnotherCheckpoint) {
  const Checkpoint checkpoint = open();
  TensorInfo foreign = *checkpoint.find("a");
  foreign.shard = 2;
  EXPECT_THROW((void)checkpoint.read<float>(foreign), std::invalid_argument);
}

TEST(Sharded, ReadsTheGoldenShards) {
  const std::string shared = test::shared_directory();
  if (shared.empty()) GTEST_SKIP() << test::no_shared_directory;
  const Checkpoint checkpoint = open_checkpoint(shared + "/golden/models/hf-clip-sharded");
  EXPECT_EQ(checkpoint.files().size(), 3U);
  EXPECT_EQ(checkpoint.data_bytes(), 99'844U);  // metadata.total_size of the index
  const TensorInfo* scale = checkpoint.find("logit_scale");
  ASSERT_NE(scale, nullptr);
  EXPECT_EQ(scale->shape, std::vector<std::int64_t>{});
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    EXPECT_EQ(checkpoint.find(tensor.name), &tensor);
    EXPECT_EQ(checkpoint.read<float>(tensor).size(), tensor.count());
  }
}

}  // namespace
}  // namespace couplet::checkpoint
