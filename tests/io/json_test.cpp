#include "couplet/io/json.hpp"

#include <gtest/gtest.h>

#include "couplet/io/file.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::io {
namespace {

TEST(JsonFile, IsReadBackAsItWasWritten) {
  const test::TemporaryDirectory folder;
  JsonWriter writer;
  writer.begin_object().key("image_size").value(224).key("mean").begin_array().value(0.48145466).end_array();
  write_file(folder.path("config.json"), writer.end_object().str());

  const std::string path = folder.path("config.json");
  const JsonField config(Json::parse(read_file(path, 1 << 20), path), path);
  EXPECT_EQ(config.at("image_size").integer(1, 4096), 224);
  EXPECT_EQ(config.at("mean").items().at(0).number(0, 1), 0.48145466);
}

}  // namespace
}  // namespace couplet::io
