#pragma once
/// The order in which an epoch visits the samples.
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "couplet/core/shape.hpp"
#include "couplet/data/keyed_random.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// A permutation of 0..n-1, uniform among all (Fisher-Yates, Knuth's algorithm P), that depends on (seed, epoch) alone.
inline std::vector<Index> epoch_order(Index n, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  Random random = keyed_random(seed, epoch, 0, Purpose::order);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(i))]);
  return order;
}

}  // namespace couplet::inline COUPLET_ABI::data
