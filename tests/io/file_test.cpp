#include "couplet/io/file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUPLET_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUPLET_TEST_SANITIZED 1
#endif
#endif

TEST(File, ReportsAHugeFileAsAFileErrorWhenMemoryRunsOut) {
#ifdef COUPLET_TEST_SANITIZED
  GTEST_SKIP() << "the sanitizers end the program when memory runs out";
#endif
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "");
  std::filesystem::resize_file(folder.path("f"), std::uintmax_t{1} << 36);  // 64 GiB, none of it on the disk
  rlimit before{};
  ::getrlimit(RLIMIT_AS, &before);
  const rlimit limit{rlim_t{1} << 34, before.rlim_max};
  ::setrlimit(RLIMIT_AS, &limit);
  const std::string message = file_error_of([&] { (void)read_file(folder.path("f"), ~std::uint64_t{0}); });
  ::setrlimit(RLIMIT_AS, &before);
  EXPECT_EQ(message, folder.path("f") + ": out of memory for its 68719476736 bytes");
}

}  // namespace
}  // namespace couplet::io
