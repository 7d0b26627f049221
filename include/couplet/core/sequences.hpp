#pragma once
/// Ragged batches: sequences of different lengths laid one after the other in the rows of one matrix.
#include <span>

#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI {

/// Sequence i occupies rows [offsets[i], offsets[i + 1]) of a matrix (rows, C). Borrows its offsets, which begin with
/// 0.
class Sequences {
 public:
  Sequences() = default;
  explicit Sequences(std::span<const Index> offsets) : offsets_(offsets) {
    if (offsets.empty() || offsets.front() != 0) fail("sequences", "offsets must begin with 0");
    for (std::size_t i = 1; i < offsets.size(); ++i) {
      if (offsets[i] < offsets[i - 1]) fail("sequences", "offsets must not decrease");
    }
  }

  [[nodiscard]] Index count() const { return offsets_.empty() ? 0 : static_cast<Index>(offsets_.size()) - 1; }
  [[nodiscard]] Index rows() const { return offsets_.empty() ? 0 : offsets_.back(); }
  [[nodiscard]] Index begin(Index i) const { return offsets_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] Index end(Index i) const { return offsets_[static_cast<std::size_t>(i) + 1]; }
  [[nodiscard]] Index length(Index i) const { return end(i) - begin(i); }

 private:
  std::span<const Index> offsets_;
};

}  // namespace couplet::inline COUPLET_ABI
