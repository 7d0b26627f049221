#pragma once
/// The 512-byte header of a tar member, in the POSIX ustar format (IEEE Std 1003.1, pax, "ustar Interchange Format")
/// and in GNU tar's. Offsets of the fields: name 0, mode 100, uid 108, gid 116, size 124, mtime 136, checksum 148, type
/// 156, linkname 157, magic 257, version 263, uname 265, gname 297, devmajor 329, devminor 337, prefix 345.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::data::detail {

inline constexpr std::uint64_t tar_block = 512;

/// `bytes` rounded up to whole blocks. The caller has checked that bytes <= 2^63.
constexpr std::uint64_t tar_padded(std::uint64_t bytes) { return (bytes + tar_block - 1) / tar_block * tar_block; }

using TarHeader = std::array<unsigned char, tar_block>;

inline bool is_zero(const TarHeader& header) {
  return std::all_of(header.begin(), header.end(), [](unsigned char byte) { return byte == 0; });
}

/// A field of text: up to its first NUL.
inline std::string tar_text(const TarHeader& header, std::size_t offset, std::size_t length) {
  const auto* begin = header.data() + offset;
  return std::string(begin, std::find(begin, begin + length, '\0'));
}

/// A numeric field: octal digits with leading spaces and a NUL or spaces behind, or, where the first byte is 0x80, the
/// other bytes as a big-endian number (GNU base-256). Nothing for anything else, negative numbers and those beyond
/// 63 bits included.
inline std::optional<std::uint64_t> tar_number(const TarHeader& header, std::size_t offset, std::size_t length) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 63U;
  const unsigned char* at = header.data() + offset;
  const unsigned char* const end = at + length;
  std::uint64_t value = 0;
  if ((*at & 0x80U) != 0) {
    if (*at++ != 0x80U) return std::nullopt;
    for (; at != end; ++at) {
      if (value >= limit >> 8U) return std::nullopt;
      value = (value << 8U) | *at;
    }
    return value;
  }
  while (at != end && *at == ' ') ++at;
  const unsigned char* const digits = at;
  for (; at != end && *at >= '0' && *at <= '7'; ++at) {
    if (value >= limit >> 3U) return std::nullopt;
    value = (value << 3U) | static_cast<std::uint64_t>(*at - '0');
  }
  if (at == digits || !std::all_of(at, end, [](unsigned char c) { return c == ' ' || c == '\0'; })) return std::nullopt;
  return value;
}

/// The sum of the header's bytes with the checksum field read as spaces.
inline std::uint64_t tar_checksum(const TarHeader& header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i) sum += i >= 148 && i < 156 ? ' ' : header[i];
  return sum;
}

/// "ustar" NUL "00" (POSIX) or "ustar  " NUL (GNU).
inline bool has_posix_magic(const TarHeader& header) {
  return std::string_view(reinterpret_cast<const char*>(header.data()) + 257, 8) == std::string_view(
                                                                                        "ustar\0"
                                                                                        "00",
                                                                                        8);
}
inline bool has_gnu_magic(const TarHeader& header) {
  return std::string_view(reinterpret_cast<const char*>(header.data()) + 257, 8) == std::string_view("ustar  \0", 8);
}

/// The name of a member. Only POSIX headers have a prefix: GNU tar keeps times in that place.
inline std::string tar_name(const TarHeader& header) {
  std::string name = tar_text(header, 0, 100);
  const std::string prefix = has_posix_magic(header) ? tar_text(header, 345, 155) : "";
  return prefix.empty() ? name : prefix + "/" + name;
}

}  // namespace couplet::inline COUPLET_ABI::data::detail
