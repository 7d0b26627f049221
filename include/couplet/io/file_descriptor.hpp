#pragma once
/// An open POSIX file that closes itself, and the words for a system call that failed.
#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::io::detail {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~FileDescriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  /// False, with errno set, when the system reports an error that it had kept back until now (a full disk on NFS).
  bool close() noexcept { return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_ = -1;
};

/// Throws file_error "path: cannot open: No such file or directory (errno 2)".
[[noreturn, gnu::cold, gnu::noinline]] inline void fail_errno(const std::string& path, const std::string& what,
                                                              int error) {
  throw file_error(path,
                   what + ": " + std::generic_category().message(error) + " (errno " + std::to_string(error) + ")");
}

}  // namespace couplet::inline COUPLET_ABI::io::detail
