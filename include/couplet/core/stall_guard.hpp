#pragma once
/// Notices that another process has a core, and uses fewer threads for a while.
///
/// A parallel region ends when its last thread does. When the operating system gives that thread's core to somebody
/// else for a time slice (some 3 ms), a region of 0.1 ms takes 3 ms, and the many small regions of a small model's
/// training step fall to a tenth of their speed. Results do not depend on the number of threads, so the library may do
/// with fewer.
#include <algorithm>
#include <chrono>
#include <utility>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

/// What the regions that one thread starts have seen. A region stalls when its first thread waits for the others much
/// longer than it worked; two stalls within 16 regions take away a quarter of the threads (one of two) for 10 ms. A
/// stall soon after they came back takes them away for twice as long, up to 160 ms; 256 regions without one begin anew.
class StallGuard {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = Clock::duration;

  /// The number of threads for a region that starts now, of `wanted` > 1.
  int threads(int wanted, Clock::time_point now) {
    if (less_ == 0) return wanted;
    if (now >= until_) {
      less_ = 0;
      calm_ = 0;
      return wanted;
    }
    return std::max(1, wanted - less_);
  }

  /// The first thread began, finished its own part, and saw the end of the region.
  void observe(int threads, Clock::time_point began, Clock::time_point finished, Clock::time_point ended) {
    const Duration wait = ended - finished;
    if (wait < shortest_stall || wait < 2 * (finished - began)) {
      calm_ = std::min(calm_ + 1, calm_regions);
      if (calm_ == calm_regions) pause_ = first_pause;
      return;
    }
    if (std::exchange(calm_, 0) >= window) return;
    less_ = std::min(threads - 1, less_ + std::max(1, threads / 4));
    until_ = ended + pause_;
    pause_ = std::min<Duration>(2 * pause_, longest_pause);
  }

 private:
  static constexpr Duration shortest_stall = std::chrono::milliseconds(1);
  static constexpr Duration first_pause = std::chrono::milliseconds(10);
  static constexpr Duration longest_pause = std::chrono::milliseconds(160);
  static constexpr int window = 16;
  static constexpr int calm_regions = 256;

  int less_ = 0;             ///< threads taken away
  int calm_ = calm_regions;  ///< regions without a stall since the last one
  Duration pause_ = first_pause;
  Clock::time_point until_;
};

}  // namespace couplet::inline COUPLET_ABI
