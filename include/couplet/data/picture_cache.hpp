#pragma once
/// Decoded pictures kept in memory, up to a number of bytes. Pictures are added until the budget is used up and stay:
/// epochs visit every sample once, so that throwing out the oldest would throw out the one that comes next.
#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "couplet/core/shape.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::data {

class PictureCache {
 public:
  explicit PictureCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// The picture of sample i, or null. Thread-safe, as is insert().
  [[nodiscard]] std::shared_ptr<const image::Image> find(Index i) const {
    if (max_bytes_ == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    const auto at = pictures_.find(i);
    return at == pictures_.end() ? nullptr : at->second;
  }

  /// Keeps a copy if there is room.
  void insert(Index i, const image::Image& picture) {
    const std::size_t bytes = picture.pixels.size() + picture.alpha.size() + overhead;
    {
      const std::lock_guard lock(mutex_);
      if (bytes > max_bytes_ - bytes_ || pictures_.count(i) != 0) return;
      bytes_ += bytes;
    }
    auto copy = std::make_shared<const image::Image>(picture);
    const std::lock_guard lock(mutex_);
    if (!pictures_.try_emplace(i, std::move(copy)).second) bytes_ -= bytes;
  }

  /// What the pictures take, in bytes; at most the budget.
  [[nodiscard]] std::size_t bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  static constexpr std::size_t overhead = 160;  // the object, its control block and its place in the table

  std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::unordered_map<Index, std::shared_ptr<const image::Image>> pictures_;
};

}  // namespace couplet::inline COUPLET_ABI::data
