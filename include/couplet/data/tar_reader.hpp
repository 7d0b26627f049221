#pragma once
/// A strict reader of tar archives: POSIX ustar and pax, GNU long names. Nothing is extracted; members are indexed once
/// and read in place, from any thread.
///
/// The file is hostile: checksums are verified, sizes checked against the file's before anything is allocated, names
/// that are absolute or leave the archive refused, and so are duplicates, links, devices, sparse members, an archive
/// without its end and bytes behind it (a second archive would be lost silently). Errors name file and member.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "couplet/core/error.hpp"
#include "couplet/data/tar_format.hpp"
#include "couplet/io/input_file.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// A regular file in an archive: bytes [offset, offset + size) of the archive's file.
struct TarMember {
  std::string name;
  std::uint64_t offset;
  std::uint64_t size;
};

class TarReader {
 public:
  /// Longest name of a member, and longest extended header, in bytes.
  static constexpr std::uint64_t max_name = 4096;
  static constexpr std::uint64_t max_extended_header = std::uint64_t{1} << 20;

  /// Opens and indexes. file_error: see above.
  explicit TarReader(std::string path) : file_(std::move(path)) { build_index(); }

  [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
  /// Regular files in the order of the archive; folders are left out.
  [[nodiscard]] const std::vector<TarMember>& members() const noexcept { return members_; }

  /// The bytes of a member of at most `max_bytes`. Thread-safe. file_error naming it: larger, or the file was cut.
  [[nodiscard]] std::string read(const TarMember& member, std::uint64_t max_bytes) const {
    if (member.size > max_bytes) {
      fail_member(member.name,
                  "expected at most " + std::to_string(max_bytes) + " bytes, found " + std::to_string(member.size));
    }
    return bytes(member.offset, member.size);
  }

 private:
  /// What extended headers say about the next member.
  struct Extension {
    std::string name;
    std::uint64_t size = 0;
    bool has_name = false, has_size = false;
  };

  void build_index() {
    Extension extension;
    std::uint64_t at = 0;
    for (;;) {
      detail::TarHeader header;
      if (file_.size() - at < header.size()) {
        fail("expected a header or the end of the archive (two blocks of zeros) at byte " + std::to_string(at) +
             ", but the file ends at byte " + std::to_string(file_.size()));
      }
      file_.read_at(at, header.data(), header.size());
      if (detail::is_zero(header)) break;
      check_header(header, at);
      at = add_member(header, at, extension);
    }
    if (extension.has_name || extension.has_size) fail("the last extended header belongs to no member");
    check_end(at);
    names_ = {};
  }

  void check_header(const detail::TarHeader& header, std::uint64_t at) const {
    const std::string where = " in the header at byte " + std::to_string(at);
    const auto stored = detail::tar_number(header, 148, 8);
    const std::uint64_t sum = detail::tar_checksum(header);
    if (!stored || *stored != sum) {
      fail("expected the checksum " + std::to_string(sum) + where + ", found " +
           (stored ? std::to_string(*stored) : "no number"));
    }
    if (!detail::has_posix_magic(header) && !detail::has_gnu_magic(header)) {
      fail("expected a ustar archive (POSIX or GNU)" + where);
    }
  }

  /// Takes one header with its data into the index; the offset of the next header.
  std::uint64_t add_member(const detail::TarHeader& header, std::uint64_t at, Extension& extension) {
    const char type = static_cast<char>(header[156]);
    const bool extends = type == 'x' || type == 'L';
    std::string name = !extends && extension.has_name ? extension.name : detail::tar_name(header);
    auto size = detail::tar_number(header, 124, 12);
    if (!extends && extension.has_size) size = extension.size;
    const std::uint64_t data = at + detail::tar_block;
    if (!size) fail_member(name, "its size is not a number");
    if (*size > file_.size() - data || detail::tar_padded(*size) > file_.size() - data) {
      fail_member(name, "expected " + std::to_string(*size) + " bytes (in whole blocks) at byte " +
                            std::to_string(data) + ", but the file ends at byte " + std::to_string(file_.size()));
    }
    switch (type) {
      case 'x':
        read_pax(name, data, *size, extension);
        break;
      case 'g':  // settings of the whole archive (a comment, times): nothing that a reader of bytes needs
        break;
      case 'L':
        extension.name = long_name(name, data, *size);
        extension.has_name = true;
        break;
      case '0':
      case '\0':
        add_file(std::move(name), data, *size);
        extension = {};
        break;
      case '5':
        if (*size != 0) fail_member(name, "a folder with data");
        extension = {};
        break;
      default:
        fail_member(name, std::string("expected a regular file or a folder, found a member of type '") +
                              printable(std::string_view(&type, 1)) + "' (a link, a device, a sparse file)");
    }
    return data + detail::tar_padded(*size);
  }

  void add_file(std::string name, std::uint64_t data, std::uint64_t size) {
    while (name.compare(0, 2, "./") == 0) name.erase(0, 2);
    check_name(name);
    if (!names_.insert(name).second) fail_member(name, "two members have this name");
    members_.push_back({std::move(name), data, size});
  }

  void check_name(const std::string& name) const {
    if (name.empty() || name.size() > max_name)
      fail_member(name, "a name of " + std::to_string(name.size()) + " bytes");
    if (name.find('\0') != std::string::npos) fail_member(name, "its name contains a NUL byte");
    if (name.front() == '/') fail_member(name, "expected a relative path");
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      const std::string_view part = std::string_view(name).substr(begin, end - begin);
      if (part.empty() || part == "." || part == "..") {
        fail_member(name, "expected a path without empty parts, '.' and '..'");
      }
      begin = end + 1;
    }
  }

  /// GNU type 'L': the data is the name of the next member.
  [[nodiscard]] std::string long_name(const std::string& holder, std::uint64_t data, std::uint64_t size) const {
    if (size > max_name + 1) fail_member(holder, "a long name of " + std::to_string(size) + " bytes");
    std::string name = bytes(data, size);
    while (!name.empty() && name.back() == '\0') name.pop_back();
    return name;
  }

  /// Records "<length> <key>=<value>\n" of a pax header; length counts all of the record. Only path and size matter.
  void read_pax(const std::string& holder, std::uint64_t data, std::uint64_t size, Extension& extension) const {
    if (size > max_extended_header) fail_member(holder, "an extended header of " + std::to_string(size) + " bytes");
    const std::string text = bytes(data, size);
    for (std::string_view rest = text; !rest.empty();) {
      std::size_t length = 0, at = 0;
      for (; at < rest.size() && at < 8 && rest[at] >= '0' && rest[at] <= '9'; ++at) {
        length = length * 10 + static_cast<std::size_t>(rest[at] - '0');
      }
      const std::size_t equals = rest.find('=');
      if (at == 0 || length > rest.size() || at + 1 >= length || rest[at] != ' ' || rest[length - 1] != '\n' ||
          equals == std::string_view::npos || equals >= length) {
        fail_member(holder, "a record of the extended header is malformed");
      }
      const std::string_view key = rest.substr(at + 1, equals - at - 1);
      const std::string_view value = rest.substr(equals + 1, length - equals - 2);
      if (key == "path") extension.name = value, extension.has_name = true;
      if (key == "size") extension.size = pax_size(holder, value), extension.has_size = true;
      if (key.substr(0, 11) == "GNU.sparse.") fail_member(holder, "sparse members are not supported");
      rest.remove_prefix(length);
    }
  }

  [[nodiscard]] std::uint64_t pax_size(const std::string& holder, std::string_view digits) const {
    std::uint64_t value = 0;
    const bool bad = digits.empty() || digits.size() > 18;
    for (const char c : digits) {
      if (bad || c < '0' || c > '9') fail_member(holder, "the size '" + printable(digits) + "' is not a number");
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (bad) fail_member(holder, "the size is empty");
    return value;
  }

  /// Behind the last member: at least two blocks of zeros and nothing else (tar pads to records of 20 blocks).
  void check_end(std::uint64_t at) const {
    if (file_.size() - at < 2 * detail::tar_block) {
      fail("expected two blocks of zeros at the end, but the file ends at byte " + std::to_string(file_.size()));
    }
    std::string chunk;
    while (at < file_.size()) {
      chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(std::uint64_t{1} << 20, file_.size() - at)));
      file_.read_at(at, chunk.data(), chunk.size());
      const std::size_t found = chunk.find_first_not_of('\0');
      if (found != std::string::npos) {
        fail("expected zeros behind the end of the archive, found data at byte " + std::to_string(at + found));
      }
      at += chunk.size();
    }
  }

  /// The range was checked against the file's size.
  [[nodiscard]] std::string bytes(std::uint64_t offset, std::uint64_t size) const {
    std::string out(static_cast<std::size_t>(size), '\0');
    file_.read_at(offset, out.data(), out.size());
    return out;
  }

  [[noreturn, gnu::cold]] void fail(const std::string& message) const { throw file_error(path(), message); }
  [[noreturn, gnu::cold]] void fail_member(const std::string& name, const std::string& message) const {
    fail("member '" + printable(name) + "': " + message);
  }

  io::InputFile file_;
  std::vector<TarMember> members_;
  std::unordered_set<std::string> names_;  // only while the index is built
};

}  // namespace couplet::inline COUPLET_ABI::data
