#pragma once
/// Several processes played by threads of one: a Communicator without MPI, so that everything but MPI itself is tested
/// in every build.
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/distributed/communicator.hpp"

namespace couplet::test {

class ThreadWorld {
 public:
  explicit ThreadWorld(int size) : size_(size), posted_(static_cast<std::size_t>(size)) {}

  class Process final : public distributed::Communicator {
   public:
    Process(ThreadWorld& world, int rank) : Communicator(rank, world.size_), world_(world) {}
    void interrupt() noexcept override { world_.interrupt(); }

   private:
    void do_all_gather(void* all, Rows rows, std::size_t row_bytes) override {
      const auto own = static_cast<std::size_t>(begin(rows, rank())) * row_bytes;
      world_.exchange(rank(), {static_cast<const char*>(all) + own, rows}, [&](int r, const Posted& posted) {
        if (r == rank()) return;
        copy(static_cast<char*>(all) + static_cast<std::size_t>(begin(rows, r)) * row_bytes, posted.data,
             rows[static_cast<std::size_t>(r)], row_bytes);
      });
    }
    void do_all_to_all(const void* send, Rows send_rows, void* receive, Rows receive_rows,
                       std::size_t row_bytes) override {
      world_.exchange(rank(), {send, send_rows}, [&](int r, const Posted& posted) {
        if (posted.rows[static_cast<std::size_t>(rank())] != receive_rows[static_cast<std::size_t>(r)]) {
          throw std::logic_error("all_to_all: sizes do not fit together");
        }
        copy(static_cast<char*>(receive) + static_cast<std::size_t>(begin(receive_rows, r)) * row_bytes,
             static_cast<const char*>(posted.data) + static_cast<std::size_t>(begin(posted.rows, rank())) * row_bytes,
             receive_rows[static_cast<std::size_t>(r)], row_bytes);
      });
    }
    void do_pass_on(const void* send, Index send_rows, void* receive, Index receive_rows,
                    std::size_t row_bytes) override {
      world_.exchange(rank(), {send, {&send_rows, 1}}, [&](int r, const Posted& posted) {
        if (r != (rank() + 1) % size()) return;
        if (posted.rows[0] != receive_rows) throw std::logic_error("pass_on: sizes do not fit together");
        copy(receive, posted.data, receive_rows, row_bytes);
      });
    }
    static Index begin(Rows rows, int r) { return std::accumulate(rows.begin(), rows.begin() + r, Index{0}); }
    static void copy(void* to, const void* from, Index rows, std::size_t row_bytes) {
      if (rows > 0) std::memcpy(to, from, static_cast<std::size_t>(rows) * row_bytes);
    }

    ThreadWorld& world_;
  };

  /// f(communicator) in as many threads as there are processes. The first exception comes out; the others' waits end.
  template <class F>
  static void run(int size, F&& f) {
    ThreadWorld world(size);
    std::exception_ptr first;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        const ThreadLimit one(1);
        try {
          Process process(world, rank);
          f(process);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
          world.interrupt();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (first) std::rethrow_exception(first);
  }

 private:
  struct Posted {
    const void* data = nullptr;
    std::span<const Index> rows = {};
  };

  /// Everybody posts, everybody takes what the others posted, everybody goes on.
  template <class Take>
  void exchange(int rank, Posted mine, Take&& take) {
    posted_[static_cast<std::size_t>(rank)] = mine;
    meet();
    for (int r = 0; r < size_; ++r) take(r, std::as_const(posted_[static_cast<std::size_t>(r)]));
    meet();
  }
  void meet() {
    std::unique_lock lock(mutex_);
    const std::uint64_t meeting = meetings_;
    if (++arrived_ == size_) {
      arrived_ = 0;
      ++meetings_;
      changed_.notify_all();
      return;
    }
    changed_.wait(lock, [&] { return meetings_ != meeting || interrupted_; });
    if (meetings_ == meeting) throw std::runtime_error("the exchange with other processes was given up");
  }
  void interrupt() noexcept {
    {
      const std::lock_guard lock(mutex_);
      interrupted_ = true;
    }
    changed_.notify_all();
  }

  int size_;
  std::vector<Posted> posted_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  std::uint64_t meetings_ = 0;
  bool interrupted_ = false;
};

}  // namespace couplet::test
