#pragma once
/// What the rows of a matrix mean when they are the pixels of images: row (b H + y) W + x is pixel (y, x) of image b,
/// its columns are the channels ("channels last"). A 1 x 1 convolution is then a linear layer.
#include <string>

#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// B images of H x W pixels.
struct FeatureMap {
  Index batch = 0;
  Index height = 0;
  Index width = 0;

  [[nodiscard]] Index pixels() const { return height * width; }
  [[nodiscard]] Index rows() const { return batch * pixels(); }
  /// After a step of `factor` pixels in both directions; what is left over at the end is not used.
  [[nodiscard]] FeatureMap divided(Index factor) const { return {batch, height / factor, width / factor}; }
  friend bool operator==(const FeatureMap&, const FeatureMap&) = default;
};

/// "2 images of 7 x 7 pixels"
inline std::string to_string(const FeatureMap& map) {
  return std::to_string(map.batch) + " images of " + std::to_string(map.height) + " x " + std::to_string(map.width) +
         " pixels";
}

/// images: (B, C, H, W)   rows: (B H W, C), assigned.
template <class T>
void image_to_rows(TensorView<const T, 4> images, TensorView<T, 2> rows) {
  const Index channels = images.extent(1);
  const Index height = images.extent(2);
  const Index width = images.extent(3);
  if (rows.extent(0) != images.extent(0) * height * width || rows.extent(1) != channels) {
    fail("image_to_rows", "shapes do not fit: images " + couplet::to_string(images.shape()) + ", rows " +
                              couplet::to_string(rows.shape()));
  }
  parallel_for(images.extent(0) * height, [&](Index line) {
    for (Index c = 0; c < channels; ++c) {
      const T* from = &images(line / height, c, line % height, 0);
      for (Index x = 0; x < width; ++x) rows(line * width + x, c) = from[x];
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
