#pragma once
/// A checksum of large data, fast and without tables. It guards against damage, not against forgery.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::io {

inline constexpr std::uint64_t empty_checksum = 0xcbf29ce484222325ULL;

/// FNV-1a over words of eight bytes (the last one filled with zeros); `hash` continues an earlier result. Every step is
/// a bijection, so that a change within one word is always noticed.
inline std::uint64_t checksum_bytes(const void* data, std::size_t bytes, std::uint64_t hash = empty_checksum) {
  const auto* at = static_cast<const unsigned char*>(data);
  for (std::size_t done = 0; done < bytes; done += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at + done, bytes - done < 8 ? bytes - done : 8);
    hash = (hash ^ word) * 0x100000001b3ULL;
  }
  return hash;
}
inline std::uint64_t checksum(std::string_view text, std::uint64_t hash = empty_checksum) {
  return checksum_bytes(text.data(), text.size(), hash);
}

/// "fnv1a64:89abcdef01234567", without leading zeros.
inline std::string checksum_text(std::uint64_t hash) {
  char digits[16] = {};
  return "fnv1a64:" + std::string(digits, std::to_chars(digits, digits + sizeof digits, hash, 16).ptr);
}

}  // namespace couplet::inline COUPLET_ABI::io
