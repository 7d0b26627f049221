#pragma once
/// Work sharing over OpenMP, serial without it.
///
/// parallel_for(ws, n, f) calls f(i, workspace) once for every i in [0, n), on several threads when called from serial
/// code and on the calling thread otherwise. Which thread runs which i is not defined, so f must write only what
/// belongs to i; then results cannot depend on the number of threads. An exception thrown by f (bad_alloc included)
/// reaches the caller; the remaining calls are skipped.
#include <atomic>
#include <exception>
#include <utility>

#include "couplet/core/shape.hpp"
#include "couplet/core/stall_guard.hpp"
#include "couplet/core/workspace.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace couplet::inline COUPLET_ABI {

/// The number of threads that a parallel_for started here may use: the OpenMP setting of the caller (OMP_NUM_THREADS,
/// omp_set_num_threads), lowered by a ThreadLimit; 1 inside a parallel region and without OpenMP.
inline int available_threads();

/// Limits the library to `threads` threads on the calling thread while it lives; nests.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) : previous_(current()) { current() = threads > 0 ? threads : 0; }
  ~ThreadLimit() { current() = previous_; }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

  /// 0: no limit.
  static int& current() {
    thread_local int limit = 0;
    return limit;
  }

 private:
  int previous_;
};

inline int available_threads() {
#if defined(_OPENMP)
  if (omp_in_parallel() != 0) return 1;
  const int limit = ThreadLimit::current();
  const int threads = omp_get_max_threads();
  return limit > 0 && limit < threads ? limit : threads;
#else
  return 1;
#endif
}

namespace detail {

/// Keeps the first exception of a group of threads and lets the caller throw it again.
class FirstException {
 public:
  void capture() noexcept {
    if (!taken_.exchange(true)) exception_ = std::current_exception();
  }
  [[nodiscard]] bool raised() const noexcept { return taken_.load(std::memory_order_relaxed); }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::atomic<bool> taken_{false};
  std::exception_ptr exception_;
};

}  // namespace detail

#if defined(_OPENMP)
namespace detail {

inline StallGuard& stall_guard() {
  thread_local StallGuard guard;
  return guard;
}

/// f(i, thread) for every i in [0, n), thread in [0, threads). Fewer threads work when one of them is held up.
template <class F>
void share(int threads, Index n, F&& f) {
  using Clock = StallGuard::Clock;
  const Clock::time_point began = Clock::now();
  threads = stall_guard().threads(threads, began);
  if (threads == 1) {
    const ThreadLimit alone(1);
    for (Index i = 0; i < n; ++i) f(i, 0);
    return;
  }
  FirstException first_exception;
  Clock::time_point finished = began;
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1) nowait
    for (Index i = 0; i < n; ++i) {
      if (first_exception.raised()) continue;
      try {
        f(i, thread);
      } catch (...) {
        first_exception.capture();
      }
    }
    if (thread == 0) finished = Clock::now();
  }
  stall_guard().observe(threads, began, finished, Clock::now());
  first_exception.rethrow();
}

}  // namespace detail
#endif

template <class F>
void parallel_for(Workspace& workspace, Index n, F&& f) {
  const int threads = static_cast<int>(std::min<Index>(available_threads(), n));
  if (threads <= 1) {
    for (Index i = 0; i < n; ++i) f(i, workspace);
    return;
  }
#if defined(_OPENMP)
  workspace.prepare_children(threads);
  detail::share(threads, n, [&](Index i, int thread) { f(i, workspace.child(thread)); });
#endif
}

/// The same for work that needs no scratch memory: f(i).
template <class F>
void parallel_for(Index n, F&& f) {
  const int threads = static_cast<int>(std::min<Index>(available_threads(), n));
  if (threads <= 1) {
    for (Index i = 0; i < n; ++i) f(i);
    return;
  }
#if defined(_OPENMP)
  detail::share(threads, n, [&](Index i, int) { f(i); });
#endif
}

}  // namespace couplet::inline COUPLET_ABI
