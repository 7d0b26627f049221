#pragma once
/// A file that appears whole or not at all: the bytes go to a temporary name in the same folder, are synced to the disk
/// and renamed over the target, and the folder is synced too. Killed at any moment, full disk or not, the target holds
/// either all its old bytes or all the new ones (written in place, 35 of 40 runs killed while saving lost the file).
///
/// The temporary `.<name>.tmp-<16 hex digits>` is locked (flock) while it is written. What a killed process left behind
/// is not locked any more and is removed by the next save of the same name.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "couplet/core/error.hpp"
#include "couplet/io/file_descriptor.hpp"

namespace couplet::inline COUPLET_ABI::io {

class AtomicFile {
 public:
  /// Creates the temporary. A new file gets the mode 0644 less the umask; one that replaces a regular file keeps that
  /// file's permissions; a link is replaced, not followed. file_error: the folder is missing or not writable, the
  /// target is a folder.
  explicit AtomicFile(std::string path) : path_(std::move(path)) {
    if (path_.find('\0') != std::string::npos) {
      throw file_error(printable(path_), "cannot create: the path contains a NUL byte");
    }
    const std::size_t slash = path_.rfind('/');
    folder_ = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const std::string name = slash == std::string::npos ? path_ : path_.substr(slash + 1);
    struct stat target {};
    const bool exists = ::lstat(path_.c_str(), &target) == 0;
    if (name.empty() || (exists && S_ISDIR(target.st_mode))) {
      throw file_error(path_, "cannot create: expected a file's name, found a folder");
    }
    prefix_ = "." + name.substr(0, 200) + ".tmp-";  // the longest name Linux allows is 255 bytes
    remove_abandoned();
    create();
    if (exists && S_ISREG(target.st_mode) && ::fchmod(file_.get(), target.st_mode & 07777U) != 0) {
      fail_and_remove("cannot keep its permissions", errno);
    }
  }
  /// Removes the temporary unless commit() succeeded.
  ~AtomicFile() { remove(); }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Appends. file_error, naming the bytes and the system's reason, when the disk is full or fails; the target then
  /// still holds its old bytes and the temporary is gone.
  void write(const void* data, std::size_t bytes) {
    require_open("write");
    constexpr std::size_t step = std::size_t{1} << 30;
    const auto* from = static_cast<const unsigned char*>(data);
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t put = ::write(file_.get(), from + done, std::min(step, bytes - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        fail_and_remove("cannot write " + std::to_string(bytes) + " bytes at byte " + std::to_string(written_), errno);
      }
      done += static_cast<std::size_t>(put);
      written_ += static_cast<std::uint64_t>(put);
    }
  }

  /// Makes the bytes durable and puts them in the target's place. file_error as in write().
  void commit() {
    require_open("commit");
    if (::fsync(file_.get()) != 0) fail_and_remove("cannot sync " + std::to_string(written_) + " bytes", errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_and_remove("cannot put the new file in place", errno);
    temporary_.clear();
    if (!file_.close()) detail::fail_errno(path_, "cannot close", errno);
    const detail::FileDescriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot sync a folder (EINVAL); there the rename is as durable as it gets.
    if (!folder.is_open() || (::fsync(folder.get()) != 0 && errno != EINVAL)) {
      detail::fail_errno(path_, "is written, but its folder cannot be synced", errno);
    }
  }

 private:
  [[nodiscard]] std::string in_folder(const std::string& name) const { return folder_ == "." ? name : folder_ + name; }

  /// Sixteen digits that no other process or thread uses at the same time; O_EXCL settles the rest.
  static std::string unique_digits() {
    static std::atomic<std::uint64_t> counter{0};
    const auto now = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    std::uint64_t bits = now ^ (static_cast<std::uint64_t>(::getpid()) << 40);
    bits += counter.fetch_add(1, std::memory_order_relaxed) * 0x9e3779b97f4a7c15ULL;
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(bits));
    return text;
  }

  /// Opens and locks a temporary. Another process may take it for abandoned between the two steps: then try again.
  void create() {
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::string temporary = in_folder(prefix_ + unique_digits());
      detail::FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
      if (!file.is_open() && (errno == EEXIST || errno == EINTR)) continue;
      if (!file.is_open()) detail::fail_errno(path_, "cannot create a temporary file in its folder", errno);
      struct stat status {};
      if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
      if (::fstat(file.get(), &status) != 0 || status.st_nlink == 0) continue;
      file_ = std::move(file);
      temporary_ = std::move(temporary);
      return;
    }
    throw file_error(path_, "cannot create a temporary file in its folder: 100 names were taken");
  }

  /// Removes the temporaries of this target whose writer is dead: those that can be locked.
  void remove_abandoned() const noexcept try {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder_, error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.size() != prefix_.size() + 16 || name.compare(0, prefix_.size(), prefix_) != 0) continue;
      if (name.find_first_not_of("0123456789abcdef", prefix_.size()) != std::string::npos) continue;
      const std::string abandoned = in_folder(name);
      const detail::FileDescriptor file(::open(abandoned.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
      if (file.is_open() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(abandoned.c_str());
    }
  } catch (...) {  // out of memory while tidying up: the save itself decides
  }

  void require_open(const char* op) const {
    if (temporary_.empty()) fail(std::string("AtomicFile::") + op, path_ + " is committed or has failed before");
  }

  void remove() noexcept {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
    file_.close();
  }

  [[noreturn]] void fail_and_remove(const std::string& what, int error) {
    remove();
    detail::fail_errno(path_, what, error);
  }

  std::string path_, folder_, prefix_, temporary_;
  detail::FileDescriptor file_;
  std::uint64_t written_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::io
