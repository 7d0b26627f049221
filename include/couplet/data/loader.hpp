#pragma once
/// Batches of a data set in the order of training, decoded and preprocessed by threads while the batch before is used.
///
///   Loader loader(dataset, preprocess_train(transform), {.batch_size = 128, .seed = 1});
///   for (Batch batch; loader.next(batch);) step(batch.images, tokenizer(batch.texts));
///
/// What a batch holds depends on (seed, epoch, place in the epoch) alone, not on the number of workers: epochs are
/// permutations (epoch_order.hpp), crops and captions are keyed draws. A loader that starts at the position() of
/// another one gives the same batches. At most `prefetch` batches exist beside the caller's; buffers are swapped, so
/// that the loader allocates no pixels after its first batches.
#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/core/share.hpp"
#include "couplet/data/batch.hpp"
#include "couplet/data/dataset.hpp"
#include "couplet/data/decode_picture.hpp"
#include "couplet/data/epoch_order.hpp"
#include "couplet/data/picture_cache.hpp"
#include "couplet/data/preprocess.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct LoaderOptions {
  Index batch_size = 64;
  std::uint64_t seed = 0;
  /// Off: samples in the order of the data set, and of several captions the first.
  bool shuffle = true;
  /// Leaves out the last batch of an epoch when it is not full.
  bool drop_last = true;
  /// The epoch before which the loader stops; 0: it never does.
  std::uint64_t end_epoch = 0;
  /// Threads beside the caller's; 0: next() does the work.
  int workers = 1;
  /// Batches made ahead.
  int prefetch = 2;
  /// Memory for decoded pictures, in bytes: later epochs then decode nothing.
  std::size_t cache_images = 0;
  /// Off: texts alone, for pictures that are known by their features. Batch::images is (B, 0, 0, 0).
  bool pictures = true;
  /// Samples without a caption count as unreadable.
  bool require_captions = true;
  /// Of each batch, the pairs of one of several processes that train together: part `part` of `parts` (share_of()).
  Index part = 0;
  Index parts = 1;
  /// More unreadable samples than these end the run. Each is replaced by a sample from later in the epoch.
  Index max_unreadable = 1000;
};

/// file_error: `samples`, index and reason, are more than a run puts up with.
[[noreturn]] inline void fail_unreadable(const std::map<Index, std::string>& samples, Index limit) {
  std::string message = "more than " + std::to_string(limit) + " samples cannot be used:";
  std::size_t named = 0;
  for (const auto& [index, reason] : samples) {
    if (++named > 5) break;
    message += "\n  " + reason;
  }
  throw file_error("", message);
}

class Loader {
 public:
  /// std::invalid_argument: options out of range, fewer samples than make a batch, `preprocess` flips pictures of a
  /// data set that forbids it.
  Loader(std::shared_ptr<const Dataset> dataset, Preprocess preprocess, const LoaderOptions& options = {},
         LoaderPosition start = {})
      : dataset_(std::move(dataset)),
        preprocess_(std::move(preprocess)),
        options_(options),
        cache_(options.cache_images) {
    check_options();
    const auto batches = static_cast<std::uint64_t>(batches_per_epoch());
    if (start.batch > batches) {
      fail("Loader",
           "expected a start at a batch in [0, " + std::to_string(batches) + "], found " + std::to_string(start.batch));
    }
    next_ = made_ = start.epoch * batches + start.batch;
    pending_.resize(static_cast<std::size_t>(options_.workers == 0 ? 1 : options_.prefetch));
    try {
      for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Loader() { stop(); }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Waits for the next batch and swaps it into `batch`, whose buffers the loader uses again; false at the end.
  /// One thread at a time. Throws what a worker threw (the same again at the next call); file_error: more unreadable
  /// samples than allowed.
  bool next(Batch& batch) {
    std::unique_lock lock(mutex_);
    if (at_end(next_)) return false;
    Pending& pending = slot(next_);
    if (threads_.empty()) {
      while (!ready(pending)) run_task(lock);
    } else {
      done_.wait(lock, [&] { return ready(pending); });
    }
    if (pending.error) std::rethrow_exception(pending.error);
    count_unreadable(pending);
    std::swap(batch, pending.batch);
    pending.sequence = none;
    ++next_;
    lock.unlock();
    work_.notify_all();
    return true;
  }

  /// The place of the batch that next() gives next.
  [[nodiscard]] LoaderPosition position() const {
    const std::lock_guard lock(mutex_);
    return position_of(next_);
  }
  [[nodiscard]] Index batches_per_epoch() const {
    return options_.drop_last ? dataset_->size() / options_.batch_size
                              : (dataset_->size() + options_.batch_size - 1) / options_.batch_size;
  }
  [[nodiscard]] const Dataset& dataset() const noexcept { return *dataset_; }

  /// How many samples were found unreadable in the batches given so far.
  [[nodiscard]] Index unreadable_count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<Index>(unreadable_.size());
  }
  /// These samples, each once, by index.
  [[nodiscard]] std::vector<UnreadableSample> unreadable() const {
    const std::lock_guard lock(mutex_);
    std::vector<UnreadableSample> list;
    for (const auto& [index, reason] : unreadable_) list.push_back({index, reason});
    return list;
  }

 private:
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  /// A batch in the making. Batches are numbered through all epochs; number n is made in place n mod prefetch.
  struct Pending {
    Batch batch;
    std::uint64_t sequence = none;  // of the batch that is made or ready here
    std::shared_ptr<const std::vector<Index>> order;
    Index first = 0;              // place of its first sample in the epoch
    Index started = 0, left = 0;  // samples handed to threads; samples not finished
    std::exception_ptr error;     // of the first sample in the batch that failed
    Index error_at = 0;
    std::map<Index, std::string> unreadable;
  };

  void check_options() const {
    const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
      if (value < least) {
        fail("Loader", std::string(name) + " must be >= " + std::to_string(least) + ", found " + std::to_string(value));
      }
    };
    at_least("batch_size", options_.batch_size, 1);
    at_least("workers", options_.workers, 0);
    at_least("prefetch", options_.prefetch, 1);
    at_least("max_unreadable", options_.max_unreadable, 0);
    (void)share_of(options_.batch_size, options_.part, options_.parts);
    if (options_.parts > 1 && !options_.drop_last) fail("Loader", "parts of batches need drop_last");
    if (options_.batch_size < options_.parts) {
      fail("Loader", "a batch of " + std::to_string(options_.batch_size) + " has no pair for each of " +
                         std::to_string(options_.parts) + " processes");
    }
    if (options_.pictures && (!preprocess_.render || preprocess_.height < 1 || preprocess_.width < 1)) {
      fail("Loader", "expected a preprocess with a function and a size");
    }
    if (batches_per_epoch() < 1) {
      fail("Loader",
           std::to_string(dataset_->size()) + " samples make no batch of " + std::to_string(options_.batch_size));
    }
    if (preprocess_.flips && !dataset_->flips_allowed()) {
      fail("Loader", "flips would make the captions of this data set wrong (left, right): turn them off");
    }
  }

  [[nodiscard]] LoaderPosition position_of(std::uint64_t sequence) const {
    const auto batches = static_cast<std::uint64_t>(batches_per_epoch());
    return {sequence / batches, sequence % batches};
  }
  [[nodiscard]] bool at_end(std::uint64_t sequence) const {
    return options_.end_epoch != 0 && position_of(sequence).epoch >= options_.end_epoch;
  }
  [[nodiscard]] Pending& slot(std::uint64_t sequence) { return pending_[sequence % pending_.size()]; }
  [[nodiscard]] bool ready(const Pending& pending) const { return pending.sequence == next_ && pending.left == 0; }
  [[nodiscard]] bool has_work() const { return made_ < next_ + pending_.size() && !at_end(made_); }

  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void work() {
    const ThreadLimit serial(1);  // the workers are the parallelism
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return stopped_ || has_work(); });
      if (stopped_) return;
      run_task(lock);
    }
  }

  /// Makes one sample of the batch that is being made. `lock` is held before and after, not while the sample is made.
  void run_task(std::unique_lock<std::mutex>& lock) {
    Pending& pending = slot(made_);
    const std::uint64_t sequence = made_;
    if (pending.sequence != sequence && !begin(pending, sequence)) return;
    const Index at = pending.started++;
    if (pending.started == pending.batch.size()) ++made_;
    const bool hopeless = static_cast<Index>(pending.unreadable.size()) > options_.max_unreadable;
    lock.unlock();
    std::exception_ptr error;
    std::map<Index, std::string> unreadable;
    try {
      if (!hopeless) make_sample(pending, at, unreadable);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && (!pending.error || at < pending.error_at)) pending.error = error, pending.error_at = at;
    pending.unreadable.merge(unreadable);
    if (--pending.left == 0) done_.notify_one();
  }

  /// Prepares the place of a batch; false, with the error kept for the caller, if the memory for it is lacking.
  bool begin(Pending& pending, std::uint64_t sequence) {
    pending.sequence = sequence;
    pending.started = pending.left = 0;
    pending.error = nullptr;
    pending.unreadable.clear();
    try {
      const LoaderPosition position = position_of(sequence);
      if (!order_ || order_epoch_ != position.epoch) {
        order_ = options_.shuffle ? std::make_shared<const std::vector<Index>>(
                                        epoch_order(dataset_->size(), options_.seed, position.epoch))
                                  : std::make_shared<const std::vector<Index>>();
        order_epoch_ = position.epoch;
      }
      const Index begin = static_cast<Index>(position.batch) * options_.batch_size;
      const Share own =
          share_of(std::min(options_.batch_size, dataset_->size() - begin), options_.part, options_.parts);
      const Index count = own.size();
      const auto size = static_cast<std::size_t>(count);
      Batch& batch = pending.batch;
      if (options_.pictures) {
        batch.images.resize({count, 3, preprocess_.height, preprocess_.width});
      } else {
        batch.images.resize({count, 0, 0, 0});
      }
      batch.texts.resize(size);
      batch.keys.resize(size);
      batch.labels.resize(size);
      batch.indices.resize(size);
      batch.position = position;
      pending.order = order_;
      pending.first = begin + own.begin;
      pending.left = count;
      return true;
    } catch (...) {
      pending.error = std::current_exception();
      ++made_;
      done_.notify_one();
      return false;
    }
  }

  /// The sample for place `at` of the batch: attempt 0 the one that the epoch has there, later attempts those one, two,
  /// ... whole batches later, which are not in this batch.
  [[nodiscard]] Index candidate(const Pending& pending, Index at, Index attempt) const {
    const Index n = dataset_->size();
    const Index cycle = n / std::gcd(n, options_.batch_size);  // attempts after which the places repeat
    const Index place = pending.first + at;
    const Index index = (place + attempt % cycle * options_.batch_size + attempt / cycle) % n;
    return pending.order->empty() ? index : (*pending.order)[static_cast<std::size_t>(index)];
  }

  void make_sample(Pending& pending, Index at, std::map<Index, std::string>& unreadable) {
    for (Index attempt = 0; attempt < dataset_->size(); ++attempt) {
      const Index index = candidate(pending, at, attempt);
      try {
        Sample sample = read_sample(index);
        render(sample, index, pending.batch, at);
        image::recycled_bytes().give(std::move(sample.image.pixels));
        return;
      } catch (const file_error& error) {
        unreadable.try_emplace(index, error.what());
        if (static_cast<Index>(unreadable.size()) > options_.max_unreadable) return;  // count_unreadable() says so
      }
    }
    throw file_error("", "no sample of the data set can be used; the first reason: " + unreadable.begin()->second);
  }

  [[nodiscard]] Sample read_sample(Index index) {
    const auto cached = cache_.find(index);
    Sample sample = cached ? dataset_->annotation(index) : dataset_->sample(index);
    if (options_.require_captions && sample.captions.empty()) throw file_error(sample.source, "has no caption");
    if (!options_.pictures) return sample;
    if (cached) {
      sample.image = *cached;
    } else {
      sample.image = decode_picture(sample, preprocess_.decode);
      sample.image_bytes.clear();
      cache_.insert(index, sample.image);
    }
    return sample;
  }

  void render(Sample& sample, Index index, Batch& batch, Index at) const {
    const auto place = static_cast<std::size_t>(at);
    const std::uint64_t epoch = batch.position.epoch;
    if (options_.pictures) preprocess_.render(sample, epoch, index, batch.images[at].data());
    std::size_t caption = 0;
    if (options_.shuffle && sample.captions.size() > 1) {
      Random random = keyed_random(options_.seed, epoch, static_cast<std::uint64_t>(index), Purpose::caption);
      caption = static_cast<std::size_t>(random.below(sample.captions.size()));
    }
    batch.texts[place] = sample.captions.empty() ? std::string() : std::move(sample.captions[caption]);
    batch.keys[place] = std::move(sample.key);
    batch.labels[place] = sample.label;
    batch.indices[place] = index;
  }

  void count_unreadable(Pending& pending) {
    unreadable_.merge(pending.unreadable);
    if (static_cast<Index>(unreadable_.size()) <= options_.max_unreadable) return;
    fail_unreadable(unreadable_, options_.max_unreadable);
  }

  std::shared_ptr<const Dataset> dataset_;
  Preprocess preprocess_;
  LoaderOptions options_;
  PictureCache cache_;

  mutable std::mutex mutex_;  // guards all below, but not the inside of a batch that is being made
  std::condition_variable work_, done_;
  std::vector<Pending> pending_;
  std::uint64_t next_ = 0, made_ = 0;  // the batch that next() gives; the batch whose samples are being started
  std::shared_ptr<const std::vector<Index>> order_;
  std::uint64_t order_epoch_ = 0;
  std::map<Index, std::string> unreadable_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace couplet::inline COUPLET_ABI::data
