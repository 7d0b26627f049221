#pragma once
/// Sizes and crop windows of the reference pipelines, in integers and doubles exactly as they compute them.
/// References: transformers image_transforms.py and image_processing_backends, torchvision v1 CenterCrop, open_clip
/// transform.py (ResizeKeepRatio, CenterCropOrPad).
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "couplet/image/exact.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::image {

struct Size {
  int height = 0;
  int width = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

/// The pipelines whose pixels can be reproduced. They differ in resampling, in the pixel at which odd margins are cut
/// and padded, and in the float32 operations of the normalisation.
enum class Pipeline { transformers_pil, transformers_torchvision, open_clip };

/// Short side = edge, long side = int(edge * long / short): the product first, then a double division, truncated.
/// Throws std::invalid_argument when the long side does not fit an int.
inline Size shortest_edge_size(Size image, int edge) {
  const int shorter = std::min(image.height, image.width), longer = std::max(image.height, image.width);
  if (shorter < 1 || edge < 1) fail("resize", "height and width must be > 0");
  const std::int64_t side = std::int64_t{edge} * longer / shorter;
  if (side > (1 << 30)) fail("resize", "an image of " + shape_text(image.height, image.width) + " is too long");
  const int other = static_cast<int>(side);  // below 2^53: the truncated double quotient is the integer quotient
  return image.height < image.width ? Size{edge, other} : Size{other, edge};
}

/// open_clip: ratio = max (longest) or min of (h / H, w / W); (round(h / ratio), round(w / ratio)), halves to even. A
/// side may become 0, which the resize refuses.
inline Size keep_ratio_size(Size image, Size target, bool longest) {
  const double rows = exact::div(image.height, target.height), columns = exact::div(image.width, target.width);
  const double ratio = longest == (rows > columns) ? rows : columns;
  const double height = exact::div(image.height, ratio), width = exact::div(image.width, ratio);
  if (!(height < (1 << 30) && width < (1 << 30)))
    fail("resize", "an image of " + shape_text(image.height, image.width) + " is too long");
  return {exact::round_half_even(height), exact::round_half_even(width)};
}

/// One axis of a centre crop: zeros before and after, and where the crop begins in the image.
struct CropAxis {
  int pad_before, pad_after, offset;
  friend bool operator==(const CropAxis&, const CropAxis&) = default;
};

/// Centre crop of n samples to `crop`. Larger images: offset (n - crop) // 2, in open_clip round((n - crop) / 2) with
/// halves to even. Smaller images: zeros before = ceil((crop - n) / 2) in transformers' PIL backend, floor elsewhere.
inline CropAxis center_crop_axis(int n, int crop, Pipeline pipeline) {
  if (crop > n) {
    const int before = (crop - n + (pipeline == Pipeline::transformers_pil ? 1 : 0)) / 2;
    return {before, crop - n - before, 0};
  }
  const int margin = n - crop;
  const bool up = pipeline == Pipeline::open_clip && margin % 4 == 3;  // x.5 with x odd
  return {0, 0, margin / 2 + (up ? 1 : 0)};
}

}  // namespace couplet::inline COUPLET_ABI::image
