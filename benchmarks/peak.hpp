#pragma once
/// The machine's float32 multiply-add peak at this moment, for the level in use, and work measured against it.
///
/// Clocks drift by a quarter between minutes on shared machines, so a rate says little alone: Meter times a bit of
/// register-bound multiply-adds beside every repetition of the work and reports both as medians.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/simd/cpu.hpp"

namespace couplet::bench {

#if defined(__x86_64__)

// Twelve independent accumulators cover the latency of both multiply-add units; registers 12 and 13 are the factors.
#define COUPLET_BENCH_FMA(kind, i) "vfmadd231ps %%" kind "12, %%" kind "13, %%" kind #i "\n\t"
#define COUPLET_BENCH_MUL_ADD(kind, i) "mulps %%xmm12, %%xmm" #i "\n\taddps %%xmm13, %%xmm" #i "\n\t"
#define COUPLET_BENCH_ZERO(kind, i) "pxor %%xmm" #i ", %%xmm" #i "\n\t"
#define COUPLET_BENCH_TWELVE(step, kind)                                                                          \
  step(kind, 0) step(kind, 1) step(kind, 2) step(kind, 3) step(kind, 4) step(kind, 5) step(kind, 6) step(kind, 7) \
      step(kind, 8) step(kind, 9) step(kind, 10) step(kind, 11)
#define COUPLET_BENCH_LOOP(step, kind)                                                                          \
  asm volatile(COUPLET_BENCH_TWELVE(COUPLET_BENCH_ZERO, kind) COUPLET_BENCH_ZERO(kind, 12)                      \
                   COUPLET_BENCH_ZERO(kind, 13) "1:\n\t" COUPLET_BENCH_TWELVE(step, kind) "dec %0\n\tjnz 1b"    \
               : "+r"(rounds)                                                                                   \
               :                                                                                                \
               : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                 "xmm11", "xmm12", "xmm13")

/// Runs `rounds` x 12 multiply-adds of whole vectors and returns their floating-point operations.
inline double multiply_add(simd::Level level, long rounds) {
  const double steps = 2.0 * 12 * static_cast<double>(rounds);
  switch (level) {
    case simd::Level::scalar:
      COUPLET_BENCH_LOOP(COUPLET_BENCH_MUL_ADD, "xmm");
      return 4 * steps;
    case simd::Level::avx2:
      COUPLET_BENCH_LOOP(COUPLET_BENCH_FMA, "ymm");
      asm volatile("vzeroupper");
      return 8 * steps;
    default:
      COUPLET_BENCH_LOOP(COUPLET_BENCH_FMA, "zmm");
      asm volatile("vzeroupper");
      return 16 * steps;
  }
}

#undef COUPLET_BENCH_FMA
#undef COUPLET_BENCH_MUL_ADD
#undef COUPLET_BENCH_ZERO
#undef COUPLET_BENCH_TWELVE
#undef COUPLET_BENCH_LOOP

#else
inline double multiply_add(simd::Level, long) { return 0; }
#endif

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Floating-point operations per second of `threads` threads that only multiply and add, for some 2 ms.
inline double measure_peak(int threads) {
  const ThreadLimit limit(threads);
  constexpr long rounds = 500000;
  const double start = seconds();
  parallel_for(threads, [](Index) { multiply_add(simd::active_level(), rounds); });
  const double time = seconds() - start;
  return threads * multiply_add(simd::active_level(), 1) * static_cast<double>(rounds) / time;
}

/// Times the body of a benchmark's loop (UseManualTime) and reports `gflops` and `peak_fraction`.
class Meter {
 public:
  Meter(benchmark::State& state, double operations, int threads)
      : state_(state), operations_(operations), threads_(threads) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter() {
    if (times_.empty()) return;
    const double rate = operations_ / median(times_);
    state_.counters["gflops"] = rate * 1e-9;
    state_.counters["peak_gflops"] = median(peaks_) * 1e-9;
    state_.counters["peak_fraction"] = rate / median(peaks_);
    state_.SetLabel(simd::to_string(simd::active_level()));
  }

  template <class F>
  void run(F&& f) {
    peaks_.push_back(measure_peak(threads_));
    const double start = seconds();
    f();
    times_.push_back(seconds() - start);
    state_.SetIterationTime(times_.back());
  }

 private:
  static double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  benchmark::State& state_;
  double operations_;
  int threads_;
  std::vector<double> times_;
  std::vector<double> peaks_;
};

}  // namespace couplet::bench
