#pragma once
/// Adds up the gradients of all processes while the backward pass still runs.
///
///   GradientSum<T> sum(communicator);
///   ... text tower backward ...     sum.start(model.text);      // its gradients are final: a thread sums them
///   ... image tower backward ...    sum.start(model.visual);
///   sum.finish();                                               // every process holds the sum of all
///
/// Gradients go through buckets of 4 Mi numbers: all-to-all gives each process everybody's part of its share of the
/// bucket, it adds them in the order of ranks (rank_order.hpp), and all-gather gives the sums to all. 2 (R - 1) / R
/// numbers per parameter go into and out of each of R processes, which is the least possible; the sum of an element has
/// the same bits whatever the buckets, in every process and every run.
///
/// While a thread of GradientSum is at work, nobody else may use the communicator: between start() and finish() the
/// backward pass, which exchanges nothing, is what should run.
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "couplet/core/share.hpp"
#include "couplet/distributed/rank_order.hpp"
#include "couplet/nn/parameter.hpp"

namespace couplet::inline COUPLET_ABI::distributed {

template <class T>
class GradientSum {
 public:
  static constexpr Index bucket_size = Index{1} << 22;

  explicit GradientSum(Communicator& communicator) : communicator_(communicator) {}
  /// Sums that are under way are given up: whoever destroys them has failed.
  ~GradientSum() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      if (!idle()) communicator_.interrupt();
    }
    changed_.notify_all();
    thread_.join();
  }
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  /// Begins to sum the gradients of a module, or of one parameter; they must not be touched until finish(). In every
  /// process in the same order. A parameter that was started before is left out.
  template <class Module>
  void start(Module& module) {
    if (communicator_.is_alone()) return;
    Pieces pieces;
    if constexpr (requires { module.grad; }) {
      add(module, pieces);
    } else {
      module.visit_parameters([&](std::string_view, Parameter<T>& parameter) { add(parameter, pieces); });
    }
    if (pieces.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(pieces));
    }
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    changed_.notify_all();
  }

  /// Waits until all that was started is summed. Throws what went wrong.
  void finish() {
    if (!thread_.joinable()) return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return idle() || error_; });
    started_.clear();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  using Pieces = std::vector<std::span<T>>;

  [[nodiscard]] bool idle() const { return waiting_.empty() && !busy_; }

  void add(Parameter<T>& parameter, Pieces& pieces) {
    if (!parameter.trainable || !parameter.has_grad()) return;
    T* const gradient = parameter.grad.data();
    if (std::find(started_.begin(), started_.end(), gradient) != started_.end()) return;
    started_.push_back(gradient);
    pieces.push_back({gradient, static_cast<std::size_t>(parameter.size())});
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
      if (stopped_) return;
      const Pieces pieces = std::move(waiting_.front());
      waiting_.pop_front();
      busy_ = true;
      lock.unlock();
      std::exception_ptr error;
      try {
        if (!error_) sum(pieces);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      busy_ = false;
      if (error && !error_) error_ = error;
      changed_.notify_all();
    }
  }

  void sum(const Pieces& pieces) {
    Index total = 0;
    for (const std::span<T> piece : pieces) total += static_cast<Index>(piece.size());
    for (Index begin = 0; begin < total; begin += bucket_size) {
      const Index count = std::min(bucket_size, total - begin);
      bucket_.resize(std::max(bucket_.size(), count));
      for_each_part(pieces, begin, count,
                    [&](T* part, Index at, Index n) { std::copy_n(part, n, bucket_.data() + at); });
      sum_bucket(count);
      for_each_part(pieces, begin, count,
                    [&](T* part, Index at, Index n) { std::copy_n(bucket_.data() + at, n, part); });
    }
  }

  /// f(part of a gradient, its place in the bucket, its length) for the bucket [begin, begin + count) of all pieces.
  template <class F>
  static void for_each_part(const Pieces& pieces, Index begin, Index count, F&& f) {
    Index offset = 0;  // of the piece
    for (const std::span<T> piece : pieces) {
      const auto length = static_cast<Index>(piece.size());
      const Index from = std::max(begin, offset);
      const Index to = std::min(begin + count, offset + length);
      if (from < to) f(piece.data() + (from - offset), from - begin, to - from);
      offset += length;
    }
  }

  void sum_bucket(Index count) {
    const int size = communicator_.size();
    shares_.resize(static_cast<std::size_t>(size));
    own_rows_.resize(static_cast<std::size_t>(size));
    for (int r = 0; r < size; ++r) shares_[static_cast<std::size_t>(r)] = share_of(count, r, size).size();
    const Share own = share_of(count, communicator_.rank(), size);
    received_.resize(std::max(received_.size(), size * own.size()));
    sum_own_rows<T>(communicator_, bucket_.data(), shares_, 1, bucket_.data() + own.begin, received_.data(), own_rows_,
                    Purpose::gradients);
    communicator_.all_gather(bucket_.data(), shares_, sizeof(T), Purpose::gradients);
  }

  Communicator& communicator_;
  std::vector<const T*> started_;  ///< gradients since the last finish()
  std::thread thread_;

  std::mutex mutex_;  // guards what follows, up to the buffers
  std::condition_variable changed_;
  std::deque<Pieces> waiting_;
  bool busy_ = false;
  bool stopped_ = false;
  std::exception_ptr error_;

  AlignedBuffer<T> bucket_, received_;  // the thread's
  std::vector<Index> shares_, own_rows_;
};

}  // namespace couplet::inline COUPLET_ABI::distributed
