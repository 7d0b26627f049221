#include "couplet/data/tar_writer.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "couplet/data/tar_reader.hpp"
#include "couplet/io/file.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

TEST(TarWriter, WritesWhatTheReaderReads) {
  const test::TemporaryDirectory folder;
  const std::string longest = std::string(155, 'd') + "/" + std::string(100, 'n');
  TarWriter writer(folder.path("a.tar"));
  writer.add("empty", "");
  writer.add("block", std::string(512, 'b'));
  writer.add(longest, "x");
  writer.finish();
  const TarReader tar(folder.path("a.tar"));
  ASSERT_EQ(tar.members().size(), 3u);
  EXPECT_EQ(tar.read(tar.members()[0], 0), "");
  EXPECT_EQ(tar.read(tar.members()[1], 512), std::string(512, 'b'));
  EXPECT_EQ(tar.members()[2].name, longest);
  EXPECT_EQ(io::read_file(folder.path("a.tar"), 1 << 20).size(), 10240u);
}

TEST(TarWriter, BytesDependOnTheContentAlone) {
  const test::TemporaryDirectory folder;
  for (const char* name : {"a.tar", "b.tar"}) {
    TarWriter writer(folder.path(name));
    writer.add("key.txt", "a red circle");
    writer.finish();
  }
  EXPECT_EQ(io::read_file(folder.path("a.tar"), 1 << 20), io::read_file(folder.path("b.tar"), 1 << 20));
}

TEST(TarWriter, RefusesNamesThatUstarCannotHold) {
  const test::TemporaryDirectory folder;
  TarWriter writer(folder.path("a.tar"));
  writer.add("used", "");
  for (const std::string& name : {std::string(), std::string("/a"), std::string("used"), std::string(101, 'n'),
                                  std::string(156, 'd') + "/" + std::string(100, 'n'), std::string("a\0b", 3)}) {
    EXPECT_THROW(writer.add(name, ""), std::invalid_argument) << name;
  }
}

TEST(TarWriter, LeavesNothingBehindUnlessFinished) {
  const test::TemporaryDirectory folder;
  { TarWriter(folder.path("a.tar")).add("a", "content"); }
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
}  // namespace couplet::data
