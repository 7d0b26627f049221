#pragma once
/// What the checks in front of the image decoders share: reading numbers from bytes, limits, errors.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "couplet/core/error.hpp"
#include "couplet/image/decode_options.hpp"

namespace couplet::inline COUPLET_ABI::image {

using Bytes = std::span<const std::uint8_t>;

/// Throws file_error "path: what" where a file that cannot be decoded is noticed; `path` may be empty.
[[noreturn, gnu::cold, gnu::noinline]] inline void bad_image(std::string_view path, const std::string& what) {
  throw file_error(std::string(path), what);
}

/// Numbers at given offsets; the caller has checked that they are inside.
constexpr std::uint32_t big16(Bytes bytes, std::size_t at) noexcept {
  return std::uint32_t{bytes[at]} << 8 | bytes[at + 1];
}
constexpr std::uint32_t big32(Bytes bytes, std::size_t at) noexcept {
  return big16(bytes, at) << 16 | big16(bytes, at + 2);
}

/// True if `bytes` has `text` at this offset.
constexpr bool holds(Bytes bytes, std::size_t at, std::string_view text) noexcept {
  if (at > bytes.size() || bytes.size() - at < text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (bytes[at + i] != static_cast<std::uint8_t>(text[i])) return false;
  return true;
}

/// Throws file_error unless 1 <= sides <= limits.side and width * height <= limits.pixels.
inline void check_limits(std::uint32_t width, std::uint32_t height, const DecodeLimits& limits, std::string_view path) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width == 0 || height == 0) bad_image(path, "an image of " + size + " pixels has nothing in it");
  const auto side = static_cast<std::uint32_t>(std::clamp(limits.side, 0, 1 << 20));
  if (width > side || height > side)
    bad_image(path, "expected sides of at most " + std::to_string(side) + " pixels, found " + size);
  if (std::int64_t{width} * height > limits.pixels)
    bad_image(path, "expected at most " + std::to_string(limits.pixels) + " pixels, found " + size);
}

}  // namespace couplet::inline COUPLET_ABI::image
