#pragma once
/// Counter-based random numbers: Philox4x32-10.
///
/// A number is a function of (seed, stream, position) alone, so it does not depend on threads, batches or what was
/// drawn before. Training keys its draws by (seed, step, sample). Reference: Salmon, Moraes, Dror, Shaw, "Parallel
/// random numbers: as easy as 1, 2, 3", SC 2011; multipliers and Weyl constants from its table 2.
#include <array>
#include <cmath>
#include <cstdint>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

/// The Philox4x32-10 bijection: 128 bits of counter to 128 random bits under a 64-bit key.
inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// A sequence of numbers under one (seed, stream). Cheap to make and to copy.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t position = 0)
      : seed_(seed), stream_(stream), position_(position) {}

  /// 32 random bits.
  std::uint32_t bits() {
    if (position_ / 4 != block_ || !filled_) fill(position_ / 4);
    return values_[position_++ % 4];
  }
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() {
    const std::uint64_t high = bits() >> 5U;
    const std::uint64_t low = bits() >> 6U;
    return static_cast<double>((high << 26U) | low) * 0x1p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in {0, ..., n-1}, without bias (rejection); n > 0.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % n;
    for (;;) {
      const std::uint64_t high = bits();
      const std::uint64_t value = (high << 32U) | bits();
      if (value < limit) return value % n;
    }
  }
  /// Normal with mean 0 and standard deviation 1 (Box-Muller, one of the pair).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(6.283185307179586476925 * uniform());
  }

 private:
  void fill(std::uint64_t block) {
    values_ = philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32U),
                          static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32U)},
                         {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32U)});
    block_ = block;
    filled_ = true;
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_;
  std::uint64_t block_ = 0;
  bool filled_ = false;
  std::array<std::uint32_t, 4> values_{};
};

}  // namespace couplet::inline COUPLET_ABI
