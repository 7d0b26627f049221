#include "couplet/core/stall_guard.hpp"

#include <gtest/gtest.h>

namespace {

using couplet::StallGuard;
using std::chrono::microseconds;
using std::chrono::milliseconds;

/// A guard with a clock that the test moves.
struct Guarded {
  StallGuard guard;
  StallGuard::Clock::time_point now{};

  /// A region whose first thread works and then waits; returns the number of threads that it had, of `wanted`.
  int region(int wanted, StallGuard::Duration work, StallGuard::Duration wait) {
    const int threads = guard.threads(wanted, now);
    if (threads > 1) guard.observe(threads, now, now + work, now + work + wait);
    now += work + (threads > 1 ? wait : StallGuard::Duration{});
    return threads;
  }
};

TEST(StallGuard, EvenRegionsKeepAllThreads) {
  Guarded g;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(g.region(2, microseconds(100), microseconds(90)), 2);
}

TEST(StallGuard, UnevenRegionsKeepAllThreads) {
  Guarded g;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(g.region(2, milliseconds(20), milliseconds(35)), 2);
}

TEST(StallGuard, TwoStallsTakeAThreadAwayForAWhile) {
  Guarded g;
  EXPECT_EQ(g.region(2, microseconds(100), milliseconds(3)), 2);
  EXPECT_EQ(g.region(2, microseconds(100), milliseconds(3)), 2);
  const auto start = g.now;
  while (g.now < start + milliseconds(9)) EXPECT_EQ(g.region(2, microseconds(100), milliseconds(3)), 1);
  g.now = start + milliseconds(10);
  EXPECT_EQ(g.region(2, microseconds(100), microseconds(10)), 2) << "it tries again";
}

TEST(StallGuard, OneStallOnceInAWhileChangesNothing) {
  Guarded g;
  for (int i = 1; i < 2000; ++i) {
    EXPECT_EQ(g.region(2, microseconds(100), i % 100 == 0 ? milliseconds(3) : microseconds(10)), 2);
  }
}

/// The number of threads after `calm` even regions, a stall, `between` even regions and a second stall.
int threads_after_two_stalls(int calm, int between) {
  Guarded g;
  for (int i = 0; i < calm; ++i) g.region(2, microseconds(100), microseconds(10));
  g.region(2, microseconds(100), milliseconds(3));
  for (int i = 0; i < between; ++i) g.region(2, microseconds(100), microseconds(10));
  g.region(2, microseconds(100), milliseconds(3));
  return g.region(2, microseconds(100), microseconds(10));
}

TEST(StallGuard, TwoStallsCountWhenTheyAreNear) {
  for (const int calm : {0, 1, 15, 255, 256, 257, 5000}) {
    EXPECT_EQ(threads_after_two_stalls(calm, 15), 1) << calm;
    EXPECT_EQ(threads_after_two_stalls(calm, 16), 2) << calm;
  }
}

TEST(StallGuard, ALastingNeighbourCostsLittle) {
  Guarded g;
  int stalled = 0, regions = 0;
  while (g.now < StallGuard::Clock::time_point{} + std::chrono::seconds(2)) {
    stalled += g.region(2, microseconds(100), milliseconds(3)) == 2 ? 1 : 0;
    ++regions;
  }
  EXPECT_LT(stalled, 40) << "pauses grow";
  EXPECT_GT(regions, 17000) << "most of the time is work";
  // The neighbour goes: all threads come back, and the next disturbance begins with a short pause.
  for (int i = 0; i < 3000; ++i) g.region(2, microseconds(100), microseconds(10));
  EXPECT_EQ(g.region(2, microseconds(100), microseconds(10)), 2);
  g.region(2, microseconds(100), milliseconds(3));
  g.region(2, microseconds(100), milliseconds(3));
  EXPECT_EQ(g.region(2, microseconds(100), microseconds(10)), 1);
  g.now += milliseconds(10);
  EXPECT_EQ(g.region(2, microseconds(100), microseconds(10)), 2);
}

TEST(StallGuard, ManyThreadsLoseAQuarter) {
  Guarded g;
  g.region(16, microseconds(100), milliseconds(3));
  g.region(16, microseconds(100), milliseconds(3));
  EXPECT_EQ(g.region(16, microseconds(100), microseconds(10)), 12);
}

}  // namespace
