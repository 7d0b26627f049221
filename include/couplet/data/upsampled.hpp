#pragma once
/// A data set that counts for more than it holds: how several are mixed with weights.
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// `whole` with round(factor N) samples: sample i is sample floor(i N / round(factor N)) of the N, so that each occurs
/// floor(factor) or ceil(factor) times in an epoch, each time with other random crops. std::invalid_argument: a factor
/// below 1 (then some samples would never be seen) or above 10,000.
inline std::unique_ptr<const Subset> upsampled(std::shared_ptr<const Dataset> whole, double factor) {
  if (!(factor >= 1 && factor <= 1e4)) {
    fail("upsampled", "expected a factor in [1, 10000], found " + std::to_string(factor));
  }
  const Index count = whole->size();
  const auto size = static_cast<Index>(std::llround(factor * static_cast<double>(count)));
  std::vector<Index> indices(static_cast<std::size_t>(size));
  for (Index i = 0; i < size; ++i) indices[static_cast<std::size_t>(i)] = i * count / size;
  return std::make_unique<const Subset>(std::move(whole), std::move(indices));
}

}  // namespace couplet::inline COUPLET_ABI::data
