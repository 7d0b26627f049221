#pragma once
/// A regular file opened for reading at given offsets. Nothing is mapped into memory: a file that another process cuts
/// short while it is read gives a file_error, never a SIGBUS. Reading is const and thread-safe.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "couplet/core/error.hpp"
#include "couplet/io/file_descriptor.hpp"

namespace couplet::inline COUPLET_ABI::io {

class InputFile {
 public:
  /// Opens `path`, following links. file_error: missing, not readable, not a regular file (a folder, a pipe, a device).
  explicit InputFile(std::string path) : path_(std::move(path)) {
    if (path_.find('\0') != std::string::npos) {
      throw file_error(printable(path_), "cannot open: the path contains a NUL byte");
    }
    // O_NONBLOCK: the open of a pipe returns at once and is refused below; it changes nothing for a regular file.
    do {
      file_ = detail::FileDescriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    } while (!file_.is_open() && errno == EINTR);
    if (!file_.is_open()) detail::fail_errno(path_, "cannot open", errno);
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) detail::fail_errno(path_, "cannot read its size", errno);
    if (!S_ISREG(status.st_mode)) throw file_error(path_, "expected a regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Bytes, as they were when the file was opened.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Fills `out` with `bytes` bytes from `offset` on. file_error: a read error, or the file ends before.
  void read_at(std::uint64_t offset, void* out, std::size_t bytes) const {
    if (offset > size_ || bytes > size_ - offset) fail_end(offset, bytes, size_);
    constexpr std::size_t step = std::size_t{1} << 30;  // Linux moves less than 2 GiB in one call
    auto* to = static_cast<unsigned char*>(out);
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t got = ::pread(file_.get(), to + done, std::min(step, bytes - done),
                                  static_cast<off_t>(offset + static_cast<std::uint64_t>(done)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) detail::fail_errno(path_, "cannot read at byte " + std::to_string(offset + done), errno);
      if (got == 0) fail_end(offset, bytes, offset + done);
      done += static_cast<std::size_t>(got);
    }
  }

 private:
  [[noreturn, gnu::cold]] void fail_end(std::uint64_t offset, std::size_t bytes, std::uint64_t end) const {
    throw file_error(path_, "expected " + std::to_string(bytes) + " bytes at byte " + std::to_string(offset) +
                                ", but the file ends at byte " + std::to_string(end));
  }

  std::string path_;
  detail::FileDescriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::io
