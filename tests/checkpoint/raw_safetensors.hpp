#pragma once
/// Files put together by hand, right or wrong.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace couplet::test {

/// The 8 bytes of a little-endian number.
inline std::string length_bytes(std::uint64_t n) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes;
}

/// A file with this header and data.
inline std::string raw_file(std::string_view header, std::string_view data = "") {
  return length_bytes(header.size()) + std::string(header) + std::string(data);
}

/// "name":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}
inline std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}";
}

/// `count` zero bytes.
inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }

}  // namespace couplet::test
