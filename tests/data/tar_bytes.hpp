#pragma once
/// Tar archives made in the memory of a test, well formed or not.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace couplet::test {

/// One header block with the right checksum; `type` '0' is a regular file.
inline std::string tar_header(std::string_view name, std::uint64_t size, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(100, 7, "0000644").replace(108, 7, "0000000").replace(116, 7, "0000000");
  char digits[13];
  std::snprintf(digits, sizeof digits, "%011llo", static_cast<unsigned long long>(size));
  header.replace(124, 11, digits).replace(136, 11, "00000000000");
  header[156] = type;
  header.replace(257, 8, std::string_view("ustar\00000", 8));
  return header;
}

/// Sets the checksum of the header at `at` after its fields have been changed.
inline std::string& with_checksum(std::string& archive, std::size_t at = 0) {
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i) {
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(archive[at + i]);
  }
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  archive.replace(at + 148, 8, std::string(digits, 6) + std::string("\0 ", 2));
  return archive;
}

/// A member: header and content in whole blocks.
inline std::string tar_member(std::string_view name, std::string_view content, char type = '0') {
  std::string member = tar_header(name, content.size(), type);
  with_checksum(member);
  member += content;
  member.append((512 - content.size() % 512) % 512, '\0');
  return member;
}

inline std::string tar_end() { return std::string(1024, '\0'); }

/// A record of a pax header: "<length> <key>=<value>\n".
inline std::string pax_record(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) ++length;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

}  // namespace couplet::test
