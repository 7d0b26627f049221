#include "couplet/io/file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::io {
namespace {

using test::file_error_of;
using test::TemporaryDirectory;

TEST(File, ReadsBackWhatWasWritten) {
  const TemporaryDirectory folder;
  std::string bytes("a\0b\r\n\xff", 6);
  bytes.resize(100'000, 'x');
  write_file(folder.path("f"), bytes);
  EXPECT_EQ(read_file(folder.path("f"), bytes.size()), bytes);
  write_file(folder.path("f"), "");
  EXPECT_EQ(read_file(folder.path("f"), 0), "");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(File, RefusesMoreThanTheLimit) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "12345");
  EXPECT_EQ(read_file(folder.path("f"), 5), "12345");
  EXPECT_EQ(file_error_of([&] { (void)read_file(folder.path("f"), 4); }),
            folder.path("f") + ": expected at most 4 bytes, found 5");
}

TEST(File, NamesTheFileAndTheReason) {
  const TemporaryDirectory folder;
  const std::string missing = folder.path("missing");
  EXPECT_EQ(file_error_of([&] { (void)read_file(missing, 9); }),
            missing + ": cannot open: No such file or directory (errno 2)");
  EXPECT_EQ(file_error_of([&] { (void)read_file(folder.path(), 9); }), folder.path() + ": expected a regular file");
}

TEST(File, ReportsAHugeFileAsAFileErrorWhenMemoryRunsOut) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "");
  std::filesystem::resize_file(folder.path("f"), std::uintmax_t{1} << 43);  // sparse: 8 TiB
  const std::string message = file_error_of([&] { (void)read_file(folder.path("f"), ~std::uint64_t{0}); });
  EXPECT_EQ(message, folder.path("f") + ": out of memory for its 8796093022208 bytes");
}

}  // namespace
}  // namespace couplet::io
