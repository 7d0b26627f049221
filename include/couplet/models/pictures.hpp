#pragma once
/// What enters an image tower: pictures of one size, and which of their patches are seen.
#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI {

/// Pictures of one size, of which a pass may see some patches alone (FLIP's patch dropout: Li et al., "Scaling
/// Language-Image Pre-training via Masking", 2023).
template <class T>
struct Pictures {
  TensorView<const T, 4> pixels;            ///< (B, 3, H, W), normalised
  TensorView<const Index, 2> patches = {};  ///< (B, K), those seen, counted by rows; empty: all

  [[nodiscard]] Index extent(std::size_t axis) const { return pixels.extent(axis); }
  [[nodiscard]] Pictures slice(Index begin, Index end) const {
    return {pixels.slice(begin, end), patches.empty() ? patches : patches.slice(begin, end)};
  }
};

}  // namespace couplet::inline COUPLET_ABI
