#include "couplet/io/atomic_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::io {
namespace {

using test::file_error_of;
using test::TemporaryDirectory;

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

/// Files can grow to `bytes` and no further, as on a full disk (EFBIG instead of ENOSPC).
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  AtomicFile file(folder.path("f"));
  file.write("new ", 4);
  file.write("bytes", 5);
  EXPECT_EQ(read_file(folder.path("f"), 99), "old");
  file.commit();
  EXPECT_EQ(read_file(folder.path("f"), 99), "new bytes");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, LeavesTheOldFileWhenNotCommitted) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  {
    AtomicFile file(folder.path("f"));
    file.write("new", 3);
    EXPECT_EQ(folder.entries(), 2U);
  }
  EXPECT_EQ(read_file(folder.path("f"), 99), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, LeavesTheOldFileWhenTheDiskIsFull) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  const std::string bytes(10'000, 'x');
  std::string message;
  {
    const FileSizeLimit limit(4096);
    message = file_error_of([&] { write_file(folder.path("f"), bytes); });
  }
  EXPECT_EQ(message, folder.path("f") + ": cannot write 10000 bytes at byte 4096: File too large (errno 27)");
  EXPECT_EQ(read_file(folder.path("f"), 99), "old");
  EXPECT_EQ(folder.entries(), 1U);
  write_file(folder.path("f"), bytes);  // and the next save works
  EXPECT_EQ(read_file(folder.path("f"), 99'999), bytes);
}

TEST(AtomicFile, CannotBeCommittedAfterAFailedWrite) {
  const TemporaryDirectory folder;
  AtomicFile file(folder.path("f"));
  {
    const FileSizeLimit limit(2);
    EXPECT_NE(file_error_of([&] { file.write("abc", 3); }), "");
  }
  EXPECT_THROW(file.commit(), std::invalid_argument);
  EXPECT_THROW(file.write("abc", 3), std::invalid_argument);
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(AtomicFile, RefusesAFolderAsTarget) {
  const TemporaryDirectory folder;
  std::filesystem::create_directory(folder.path("d"));
  for (const std::string& path : {folder.path("d"), folder.path("d/"), std::string("/"), std::string("")}) {
    EXPECT_NE(file_error_of([&] { AtomicFile file(path); }).find("expected a file's name"), std::string::npos) << path;
  }
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, NamesAFolderThatIsMissing) {
  const TemporaryDirectory folder;
  EXPECT_EQ(
      file_error_of([&] { AtomicFile file(folder.path("no/f")); }),
      folder.path("no/f") + ": cannot create a temporary file in its folder: No such file or directory (errno 2)");
}

TEST(AtomicFile, LeavesTheOldFileInAFolderThatIsNotWritable) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  const uid_t user = ::geteuid();
  ::chmod(folder.path().c_str(), 0555);
  if (user == 0) {  // the superuser may write anywhere
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const std::string message = file_error_of([&] { write_file(folder.path("f"), "new"); });
  if (user == 0) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ::chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(message, folder.path("f") + ": cannot create a temporary file in its folder: Permission denied (errno 13)");
  EXPECT_EQ(read_file(folder.path("f"), 99), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, GivesANewFileTheModeThatTheUmaskAllows) {
  const TemporaryDirectory folder;
  const mode_t before = ::umask(022);
  write_file(folder.path("a"), "");
  ::umask(077);
  write_file(folder.path("b"), "");
  ::umask(before);
  EXPECT_EQ(mode_of(folder.path("a")), 0644U);
  EXPECT_EQ(mode_of(folder.path("b")), 0600U);
}

TEST(AtomicFile, KeepsTheModeOfTheFileItReplaces) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  ::chmod(folder.path("f").c_str(), 0640);
  write_file(folder.path("f"), "new");
  EXPECT_EQ(mode_of(folder.path("f")), 0640U);
}

TEST(AtomicFile, ReplacesALinkAndLeavesWhatItPointsTo) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  std::filesystem::create_symlink("f", folder.path("link"));
  write_file(folder.path("link"), "new");
  EXPECT_EQ(read_file(folder.path("f"), 99), "old");
  EXPECT_EQ(read_file(folder.path("link"), 99), "new");
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path("link")));
}

TEST(AtomicFile, RemovesWhatAKilledProcessLeftBehind) {
  const TemporaryDirectory folder;
  write_file(folder.path("f"), "old");
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(folder.path("f"));
    file.write("half", 4);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(folder.entries(), 2U);
  EXPECT_EQ(read_file(folder.path("f"), 99), "old");
  write_file(folder.path("f"), "new");
  EXPECT_EQ(folder.entries(), 1U);
  EXPECT_EQ(read_file(folder.path("f"), 99), "new");
}

TEST(AtomicFile, LeavesForeignFilesAndLiveWritersAlone) {
  const TemporaryDirectory folder;
  for (const char* name : {".f.tmp-", ".f.tmp-0123456789abcdeX", ".g.tmp-0123456789abcdef", "f.tmp-0123456789abcdef"}) {
    std::ofstream(folder.path(name)) << name;
  }
  AtomicFile live(folder.path("f"));
  live.write("live", 4);
  write_file(folder.path("f"), "other");
  EXPECT_EQ(folder.entries(), 6U);
  live.commit();
  EXPECT_EQ(read_file(folder.path("f"), 99), "live");
  EXPECT_EQ(folder.entries(), 5U);
}

TEST(AtomicFile, IsWholeWhicheverOfManyThreadsComesLast) {
  const TemporaryDirectory folder;
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'i'; ++c) {
    threads.emplace_back([&folder, c] {
      for (int i = 0; i < 20; ++i) write_file(folder.path("f"), std::string(1000, c));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string bytes = read_file(folder.path("f"), 9999);
  ASSERT_EQ(bytes.size(), 1000U);
  EXPECT_EQ(bytes, std::string(1000, bytes[0]));
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, TakesNamesAsLongAsTheSystemDoes) {
  const TemporaryDirectory folder;
  const std::string name(255, 'n');
  write_file(folder.path(name), "x");
  EXPECT_EQ(read_file(folder.path(name), 9), "x");
}

}  // namespace
}  // namespace couplet::io
