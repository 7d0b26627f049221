#pragma once
/// FLIP's patch dropout: in training, the image tower sees a random part of the patches of each picture. Half of the
/// patches is a little more than half of the work, and twice as many pairs in the same time are worth more than whole
/// pictures. Li et al., "Scaling Language-Image Pre-training via Masking", CVPR 2023; the numbers kept are open_clip's.
#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "couplet/core/error.hpp"
#include "couplet/core/shape.hpp"
#include "couplet/data/keyed_random.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct PatchDropout {
  double rate = 0;  ///< share of the patches that are left out

  [[nodiscard]] bool any() const { return rate > 0; }
  /// std::invalid_argument: not in [0, 1).
  void validate() const {
    if (!(rate >= 0 && rate < 1)) fail("patch_dropout", "expected a rate in [0, 1), found " + std::to_string(rate));
  }
  /// Of so many patches, how many are seen: at least one.
  [[nodiscard]] Index kept(Index patches) const {
    return std::max<Index>(1, static_cast<Index>(static_cast<double>(patches) * (1 - rate)));
  }

  /// The patches seen of one sample in one epoch, in ascending order. seen: (kept(patches)), assigned
  void draw(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample, Index patches, std::span<Index> seen) const {
    std::vector<Index> all(static_cast<std::size_t>(patches));
    std::iota(all.begin(), all.end(), Index{0});
    Random random = keyed_random(seed, epoch, sample, Purpose::patches);
    for (std::size_t i = 0; i < seen.size(); ++i) {  // the first steps of a Fisher-Yates shuffle
      std::swap(all[i], all[i + random.below(all.size() - i)]);
    }
    std::copy_n(all.begin(), seen.size(), seen.begin());
    std::sort(seen.begin(), seen.end());
  }
};

}  // namespace couplet::inline COUPLET_ABI::data
