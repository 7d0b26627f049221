#pragma once
/// Writes POSIX ustar archives. The bytes depend on the names and contents alone: owner 0, mode 0644, time 0.
/// The archive appears at its path when finish() succeeds (io/atomic_file.hpp).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "couplet/core/error.hpp"
#include "couplet/data/tar_format.hpp"
#include "couplet/io/atomic_file.hpp"

namespace couplet::inline COUPLET_ABI::data {

class TarWriter {
 public:
  /// file_error: the folder is missing or not writable.
  explicit TarWriter(std::string path) : file_(std::move(path)) {}

  /// Appends a regular file. std::invalid_argument: the name is empty, absolute, used before or too long for ustar
  /// (100 bytes, or 255 that can be split at a '/'), or the content has 8 GiB or more. file_error: the disk.
  void add(const std::string& name, std::string_view content) {
    if (content.size() >= std::uint64_t{1} << 33U) fail("TarWriter", printable(name) + " has 8 GiB or more");
    if (!names_.insert(name).second) fail("TarWriter", "two members are called " + printable(name));
    const detail::TarHeader header = make_header(name, content.size());
    file_.write(header.data(), header.size());
    file_.write(content.data(), content.size());
    pad(detail::tar_padded(content.size()) - content.size());
    written_ += header.size() + detail::tar_padded(content.size());
  }

  /// Writes the end of the archive (zeros up to whole records of 20 blocks) and puts the file in place.
  void finish() {
    constexpr std::uint64_t record = 20 * detail::tar_block;
    const std::uint64_t end = (written_ + 2 * detail::tar_block + record - 1) / record * record;
    pad(end - written_);
    file_.commit();
  }

 private:
  static detail::TarHeader make_header(const std::string& name, std::uint64_t size) {
    const auto [prefix, rest] = split(name);
    detail::TarHeader header{};
    const auto put = [&](std::size_t offset, std::string_view text) {
      std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(offset));
    };
    put(0, rest);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, octal(size, 11));
    put(136, "00000000000");
    put(156, "0");
    put(257, std::string_view("ustar\0"
                              "00",
                              8));
    put(345, prefix);
    put(148, octal(detail::tar_checksum(header), 6) + std::string(1, '\0') + " ");
    return header;
  }

  static std::string octal(std::uint64_t value, std::size_t digits) {
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value >>= 3U) text[i] = static_cast<char>('0' + (value & 7U));
    return text;
  }

  /// (prefix of at most 155 bytes, name of at most 100), joined by a '/'.
  static std::pair<std::string_view, std::string_view> split(const std::string& name) {
    if (name.empty() || name.front() == '/' || name.find('\0') != std::string::npos) {
      fail("TarWriter", "expected a relative path, found '" + printable(name) + "'");
    }
    const std::string_view whole = name;
    if (whole.size() <= 100) return {{}, whole};
    const std::size_t slash = whole.find('/', whole.size() - 101);
    if (slash == std::string_view::npos || slash > 155 || slash + 1 == whole.size()) {
      fail("TarWriter",
           "the name '" + printable(name) + "' of " + std::to_string(name.size()) + " bytes is too long for ustar");
    }
    return {whole.substr(0, slash), whole.substr(slash + 1)};
  }

  void pad(std::uint64_t bytes) {
    const std::string zeros(static_cast<std::size_t>(bytes), '\0');
    file_.write(zeros.data(), zeros.size());
  }

  io::AtomicFile file_;
  std::unordered_set<std::string> names_;
  std::uint64_t written_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::data
