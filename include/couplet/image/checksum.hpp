#pragma once
/// CRC-32 (of PNG chunks) and Adler-32 (of zlib streams), as RFC 1952 and RFC 1950 define them.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::image {

namespace detail {

/// tables[0] is the usual table of the reflected polynomial 0xEDB88320; tables[k] advances by k more zero bytes.
constexpr std::array<std::array<std::uint32_t, 256>, 4> crc_tables() {
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0u);
    tables[0][i] = crc;
  }
  for (std::size_t k = 1; k < 4; ++k)
    for (std::size_t i = 0; i < 256; ++i) tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
  return tables;
}
inline constexpr auto crc_table = crc_tables();

}  // namespace detail

/// CRC-32 of `bytes`; `crc` continues an earlier result. Four bytes a step.
constexpr std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t crc = 0) noexcept {
  const auto& t = detail::crc_table;
  crc = ~crc;
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    crc ^= bytes[i] | std::uint32_t{bytes[i + 1]} << 8 | std::uint32_t{bytes[i + 2]} << 16 |
           std::uint32_t{bytes[i + 3]} << 24;
    crc = t[3][crc & 0xff] ^ t[2][crc >> 8 & 0xff] ^ t[1][crc >> 16 & 0xff] ^ t[0][crc >> 24];
  }
  for (; i < bytes.size(); ++i) crc = (crc >> 8) ^ t[0][(crc ^ bytes[i]) & 0xff];
  return ~crc;
}

constexpr std::uint32_t adler32(std::span<const std::uint8_t> bytes) noexcept {
  std::uint32_t a = 1, b = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t end = bytes.size() - i < 5552 ? bytes.size() : i + 5552;  // the most before b could overflow
    for (; i < end; ++i) {
      a += bytes[i];
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b << 16 | a;
}

}  // namespace couplet::inline COUPLET_ABI::image
