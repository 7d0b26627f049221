#pragma once
/// Which files are pictures, by their names.
#include <cstdint>
#include <string>
#include <string_view>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// The largest encoded picture that a data set reads, in bytes.
inline constexpr std::uint64_t max_picture_bytes = std::uint64_t{64} << 20;
/// The largest caption or label file, in bytes.
inline constexpr std::uint64_t max_caption_bytes = std::uint64_t{1} << 20;

/// ASCII letters to lower case.
inline std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// What follows the last '.' of the last part of a path, in lower case; empty where there is none ("a.b/c", ".hidden").
inline std::string extension_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string() : lower_ascii(name.substr(dot + 1));
}

/// Extensions, in lower case, of the formats that image/decode.hpp reads.
inline bool is_picture_extension(std::string_view extension) {
  return extension == "png" || extension == "jpg" || extension == "jpeg";
}

}  // namespace couplet::inline COUPLET_ABI::data
