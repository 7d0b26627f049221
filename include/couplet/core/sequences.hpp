#pragma once
/// Ragged batches: sequences of different lengths laid one after the other in the rows of one matrix.
#include <span>

#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI {

/// Sequence i occupies rows [offsets[i], offsets[i + 1]) of a matrix (rows, C). Borrows its offsets, which begin with
/// 0. In attention its keys are all of its rows or, where key_ends are given, those before key_ends[i]: the rows behind
/// see and are not seen (CoCa's class token).
class Sequences {
 public:
  Sequences() = default;
  explicit Sequences(std::span<const Index> offsets, std::span<const Index> key_ends = {})
      : offsets_(offsets), key_ends_(key_ends) {
    if (offsets.empty() || offsets.front() != 0) fail("sequences", "offsets must begin with 0");
    for (std::size_t i = 1; i < offsets.size(); ++i) {
      if (offsets[i] < offsets[i - 1]) fail("sequences", "offsets must not decrease");
    }
    if (key_ends.empty()) return;
    if (std::ssize(key_ends) != count()) fail("sequences", "there must be one key_end for each sequence");
    for (Index i = 0; i < count(); ++i) {
      if (key_end(i) < begin(i) || key_end(i) > end(i)) fail("sequences", "key_ends must lie in their sequences");
    }
  }

  [[nodiscard]] Index count() const { return offsets_.empty() ? 0 : static_cast<Index>(offsets_.size()) - 1; }
  [[nodiscard]] Index rows() const { return offsets_.empty() ? 0 : offsets_.back(); }
  [[nodiscard]] Index begin(Index i) const { return offsets_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] Index end(Index i) const { return offsets_[static_cast<std::size_t>(i) + 1]; }
  [[nodiscard]] Index length(Index i) const { return end(i) - begin(i); }
  [[nodiscard]] bool has_key_ends() const { return !key_ends_.empty(); }
  [[nodiscard]] Index key_end(Index i) const {
    return has_key_ends() ? key_ends_[static_cast<std::size_t>(i)] : end(i);
  }

 private:
  std::span<const Index> offsets_, key_ends_;
};

}  // namespace couplet::inline COUPLET_ABI
