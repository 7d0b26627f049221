#pragma once
/// Random numbers of a data pipeline, keyed by (seed, epoch, sample, purpose) and by nothing else: not by the batch,
/// the worker thread or what was drawn before. Purposes keep the draws of one sample apart (which caption, which crop).
#include <cstdint>

#include "couplet/core/random.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// What a draw is for. The values are part of every saved run: never renumber them.
enum class Purpose : std::uint32_t {
  order = 1,
  caption = 2,
  transform = 3,
  scene = 4,
  noise = 5,
  color = 6,
  affine = 7,
  patches = 8
};

/// The sequence of draws of one sample in one epoch for one purpose. (epoch, purpose) are hashed into the seed by
/// Philox; the sample is the stream.
inline Random keyed_random(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample, Purpose purpose) {
  const auto hashed = philox4x32({static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(epoch >> 32U),
                                  static_cast<std::uint32_t>(purpose), 0x64617461U},  // "data"
                                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
  return Random(hashed[0] | (std::uint64_t{hashed[1]} << 32U), sample);
}

}  // namespace couplet::inline COUPLET_ABI::data
