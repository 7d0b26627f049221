#pragma once
/// What decode() does with transparency and orientation, and how large an image may be.
#include <cstdint>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::image {

enum class Transparency {
  white,  ///< composited on white, alpha channels and tRNS alike: transformers' convert_to_rgb
  drop,   ///< ignored: Pillow's convert("RGB")
  keep    ///< alpha channels go to Image::alpha and Image::indexed is set; tRNS is ignored: what open_clip resizes
};

/// A file that exceeds a limit is refused from its header, before anything is allocated.
struct DecodeLimits {
  int side = 16384;                       ///< pixels
  std::int64_t pixels = 40'000'000;       ///< width times height
  std::uint64_t file_bytes = 64u << 20u;  ///< 64 MiB
};

struct DecodeOptions {
  Transparency transparency = Transparency::white;
  bool apply_exif_orientation = false;  ///< rotate and mirror as EXIF says; Pillow's Image.open does not
  DecodeLimits limits = {};
};

}  // namespace couplet::inline COUPLET_ABI::image
