#include "couplet/io/input_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::io {
namespace {

using test::file_error_of;
using test::TemporaryDirectory;

TEST(InputFile, ReadsAtOffsets) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "0123456789");
  const InputFile file(folder.path("f"));
  EXPECT_EQ(file.size(), 10U);
  char out[4] = {};
  file.read_at(6, out, 4);
  EXPECT_EQ(std::string(out, 4), "6789");
  file.read_at(10, out, 0);
}

TEST(InputFile, RefusesToReadPastTheEnd) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "0123456789");
  const InputFile file(folder.path("f"));
  char out[16] = {};
  EXPECT_EQ(file_error_of([&] { file.read_at(7, out, 4); }),
            folder.path("f") + ": expected 4 bytes at byte 7, but the file ends at byte 10");
  EXPECT_NE(file_error_of([&] { file.read_at(~std::uint64_t{0}, out, 2); }), "");  // the sum would wrap
}

TEST(InputFile, ReportsAFileCutShortWhileItIsRead) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "0123456789");
  const InputFile file(folder.path("f"));
  std::filesystem::resize_file(folder.path("f"), 5);
  char out[16] = {};
  EXPECT_EQ(file_error_of([&] { file.read_at(3, out, 7); }),
            folder.path("f") + ": expected 7 bytes at byte 3, but the file ends at byte 5");
}

TEST(InputFile, KeepsToTheSizeItHadWhenItWasOpened) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "0123456789");
  const InputFile file(folder.path("f"));
  std::filesystem::resize_file(folder.path("f"), 20);
  char out[16] = {};
  EXPECT_EQ(file_error_of([&] { file.read_at(7, out, 4); }),
            folder.path("f") + ": expected 4 bytes at byte 7, but the file ends at byte 10");
}

TEST(InputFile, FollowsALinkAndSurvivesTheRemovalOfItsName) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "0123456789");
  std::filesystem::create_symlink("f", folder.path("link"));
  const InputFile file(folder.path("link"));
  std::filesystem::remove(folder.path("f"));
  char out[2] = {};
  file.read_at(0, out, 2);
  EXPECT_EQ(std::string(out, 2), "01");
}

TEST(InputFile, RefusesFoldersPipesDevicesAndNulWithoutBlocking) {
  const TemporaryDirectory folder;
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder.path(), folder.path("pipe"), std::string("/dev/null")}) {
    EXPECT_EQ(file_error_of([&] { InputFile file(path); }), path + ": expected a regular file");
  }
  write_file(folder.path("f"), "x");
  EXPECT_NE(file_error_of([&] { InputFile file(folder.path("f") + std::string("\0.png", 5)); }), "");
}

}  // namespace
}  // namespace couplet::io
