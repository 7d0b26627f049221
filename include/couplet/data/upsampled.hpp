#pragma once
/// A data set that counts for more than it holds: how several are mixed with weights.
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// `whole` with round(factor N) samples: sample i is sample floor(i N / round(factor N)) of the N, so that each occurs
/// floor(factor) or ceil(factor) times in an epoch, each time with other random crops.
class Upsampled final : public Dataset {
 public:
  /// std::invalid_argument: a factor below 1 (then some samples would never be seen) or above 10^6.
  Upsampled(std::shared_ptr<const Dataset> whole, double factor) : whole_(std::move(whole)) {
    if (!(factor >= 1 && factor <= 1e6)) {
      fail("Upsampled", "expected a factor in [1, 1000000], found " + std::to_string(factor));
    }
    size_ = static_cast<Index>(std::llround(factor * static_cast<double>(whole_->size())));
  }

  [[nodiscard]] Index size() const override { return size_; }
  [[nodiscard]] Sample sample(Index i) const override { return whole_->sample(at(i)); }
  [[nodiscard]] Sample annotation(Index i) const override { return whole_->annotation(at(i)); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return whole_->class_names(); }
  [[nodiscard]] bool flips_allowed() const override { return whole_->flips_allowed(); }

 private:
  [[nodiscard]] Index at(Index i) const {
    check_index(i);
    return i / size_ * whole_->size() + i % size_ * whole_->size() / size_;
  }

  std::shared_ptr<const Dataset> whole_;
  Index size_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::data
