#pragma once
/// A matrix of float whose elements are all numbers of 16 bits, kept in 16 bits: half the memory and the same numbers.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "couplet/core/float16.hpp"
#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::ops {

class HalfMatrix {
 public:
  /// Takes (rows, columns) elements; part(first, count) gives some of them, valid until the next call. False, and
  /// empty, when some element is neither a bfloat16 nor, all together, a float16: then nothing is kept.
  template <class Part>
  bool assign(Index rows, Index columns, const Part& part) {
    for (const bool is_bfloat16 : {true, false}) {
      bits_.resize(checked_multiply(rows, columns));
      columns_ = columns;
      is_bfloat16_ = is_bfloat16;
      if (take_all(part)) return true;
      release();
    }
    return false;
  }
  void release() {
    bits_.release();
    columns_ = 0;
  }

  [[nodiscard]] bool empty() const { return bits_.size() == 0; }
  [[nodiscard]] Index rows() const { return columns_ == 0 ? 0 : bits_.size() / columns_; }
  [[nodiscard]] Index columns() const { return columns_; }

  /// to: (columns)
  void copy_row(Index row, float* to) const {
    const std::uint16_t* from = bits_.data() + row * columns_;
    if (is_bfloat16_) {
      for (Index c = 0; c < columns_; ++c) to[c] = float_from_bfloat16(from[c]);
    } else {
      for (Index c = 0; c < columns_; ++c) to[c] = float_from_float16(from[c]);
    }
  }

 private:
  static constexpr Index part_size = Index{1} << 21U;  // 8 MiB of float
  static constexpr Index task_size = Index{1} << 16U;

  template <class Part>
  bool take_all(const Part& part) {
    for (Index first = 0; first < bits_.size(); first += part_size) {
      const Index count = std::min(part_size, bits_.size() - first);
      if (!take(part(first, count), count, bits_.data() + first)) return false;
    }
    return true;
  }

  /// Whether nothing is lost.
  bool take(const float* from, Index count, std::uint16_t* to) const {
    std::atomic<bool> exact = true;
    parallel_for((count + task_size - 1) / task_size, [&](Index task) {
      const Index end = std::min(count, (task + 1) * task_size);
      std::uint32_t lost = 0;
      for (Index i = task * task_size; i < end; ++i) {
        to[i] = is_bfloat16_ ? bfloat16_from_float(from[i]) : float16_from_float(from[i]);
        const float back = is_bfloat16_ ? float_from_bfloat16(to[i]) : float_from_float16(to[i]);
        lost |= std::bit_cast<std::uint32_t>(back) ^ std::bit_cast<std::uint32_t>(from[i]);
      }
      if (lost != 0) exact.store(false, std::memory_order_relaxed);
    });
    return exact;
  }

  AlignedBuffer<std::uint16_t> bits_;
  Index columns_ = 0;
  bool is_bfloat16_ = true;
};

}  // namespace couplet::inline COUPLET_ABI::ops
