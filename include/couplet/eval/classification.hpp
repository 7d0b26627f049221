#pragma once
/// Top-1 and top-5 accuracy, added up batch by batch.
#include <cstdint>
#include <span>
#include <string>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::eval {

/// How many elements of row (n) stand before element `own`: larger ones, and equal ones with a smaller index. What is
/// not a number, the own element included, never counts as a success.
template <class T>
[[nodiscard]] Index rank_of(const T* row, Index n, Index own) {
  Index before = 0;
  for (Index j = 0; j < n; ++j) {
    const bool behind = row[j] < row[own] || (row[j] == row[own] && j > own);
    before += (behind || j == own) ? 0 : 1;
  }
  return before;
}

class TopKAccuracy {
 public:
  /// logits: (B, classes)   labels: (B), each in [0, classes)
  template <class T>
  void add(TensorView<T, 2> logits, std::span<const std::int64_t> labels) {
    if (static_cast<std::size_t>(logits.extent(0)) != labels.size()) {
      fail("top_k_accuracy",
           "logits " + to_string(logits.shape()) + ", but " + std::to_string(labels.size()) + " labels");
    }
    for (const std::int64_t label : labels) {
      if (label < 0 || label >= logits.extent(1)) {
        fail("top_k_accuracy",
             "label " + std::to_string(label) + " is not one of " + std::to_string(logits.extent(1)) + " classes");
      }
    }
    for (Index b = 0; b < logits.extent(0); ++b) {
      const Index label = static_cast<Index>(labels[static_cast<std::size_t>(b)]);
      const Index rank = rank_of(logits[b].data(), logits.extent(1), label);
      top1_ += rank < 1 ? 1 : 0;
      top5_ += rank < 5 ? 1 : 0;
      ++count_;
    }
  }

  [[nodiscard]] Index count() const { return count_; }
  /// Shares in [0, 1]; 0 before the first batch.
  [[nodiscard]] double top1() const { return share(top1_); }
  [[nodiscard]] double top5() const { return share(top5_); }

 private:
  [[nodiscard]] double share(Index hits) const {
    return count_ == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(count_);
  }

  Index top1_ = 0;
  Index top5_ = 0;
  Index count_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::eval
