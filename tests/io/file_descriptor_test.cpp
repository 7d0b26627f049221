#include "couplet/io/file_descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

#include "support/file_errors.hpp"

namespace couplet::io::detail {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(FileDescriptor, ClosesAtTheEndOfItsScope) {
  int fd = -1;
  {
    const FileDescriptor file(::open("/dev/null", O_RDONLY));
    fd = file.get();
    ASSERT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(FileDescriptor, MovesWithoutClosing) {
  FileDescriptor a(::open("/dev/null", O_RDONLY));
  const int fd = a.get();
  FileDescriptor b(std::move(a));
  EXPECT_FALSE(a.is_open());
  FileDescriptor c(::open("/dev/null", O_RDONLY));
  const int replaced = c.get();
  c = std::move(b);
  EXPECT_EQ(c.get(), fd);
  EXPECT_TRUE(is_open(fd));
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(c.close());
  EXPECT_FALSE(is_open(fd));
  EXPECT_TRUE(c.close());  // nothing left to do
}

TEST(FileDescriptor, ReportsACloseThatFails) {
  FileDescriptor file(::open("/dev/null", O_RDONLY));
  ::close(file.get());
  EXPECT_FALSE(file.close());
}

TEST(FileDescriptor, SaysWhichCallFailedAndWhy) {
  EXPECT_EQ(test::file_error_of([] { fail_errno("a/b", "cannot write 3 bytes", ENOSPC); }),
            "a/b: cannot write 3 bytes: No space left on device (errno 28)");
}

}  // namespace
}  // namespace couplet::io::detail
