#pragma once
/// What a loader hands out.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// A place in the endless sequence of batches: all that is needed to go on from there.
struct LoaderPosition {
  std::uint64_t epoch = 0;
  std::uint64_t batch = 0;  ///< within the epoch
  friend auto operator<=>(const LoaderPosition&, const LoaderPosition&) = default;
};

struct Batch {
  Tensor<float, 4> images;         ///< (B, 3, H, W)
  std::vector<std::string> texts;  ///< one caption each; empty where a sample has none
  std::vector<std::string> keys;   ///< Sample::key
  std::vector<Index> indices;      ///< places in the data set
  std::vector<std::optional<std::int64_t>> labels;
  LoaderPosition position;

  [[nodiscard]] Index size() const { return static_cast<Index>(indices.size()); }
};

/// A sample that could not be used, and why.
struct UnreadableSample {
  Index index;
  std::string reason;
};

}  // namespace couplet::inline COUPLET_ABI::data
