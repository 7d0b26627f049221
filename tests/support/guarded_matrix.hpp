#pragma once
/// A matrix with guards before, behind and between its rows, to see that nothing is written outside of it.
#include <gtest/gtest.h>

#include <cstring>

#include "couplet/core/tensor.hpp"

namespace couplet::test {

/// Rows begin at odd addresses (off every vector boundary) and are `columns + gap` elements apart.
template <class T>
class GuardedMatrix {
 public:
  static constexpr Index gap = 17;

  GuardedMatrix(Index rows, Index columns) : rows_(rows), columns_(columns), memory_({gap + rows * (columns + gap)}) {
    memory_.fill(guard());
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) view()(r, c) = T(0);
    }
  }
  /// The elements of `values`, a tensor of rows x columns elements.
  template <class Values>
  GuardedMatrix(Index rows, Index columns, const Values& values) : GuardedMatrix(rows, columns) {
    for (Index i = 0; i < rows * columns; ++i) view()(i / columns, i % columns) = static_cast<T>(values.data()[i]);
  }

  [[nodiscard]] TensorView<T, 2> view() { return {memory_.data() + gap, {rows_, columns_}, {columns_ + gap, 1}}; }
  [[nodiscard]] TensorView<const T, 2> view() const {
    return {memory_.data() + gap, {rows_, columns_}, {columns_ + gap, 1}};
  }
  /// Without the guards.
  [[nodiscard]] Tensor<T, 2> values() const {
    Tensor<T, 2> copied({rows_, columns_});
    copy(view(), copied.view());
    return copied;
  }
  /// Every guard still has its bits.
  [[nodiscard]] testing::AssertionResult intact() const {
    const T expected = guard();
    for (Index i = 0; i < memory_.size(); ++i) {
      const bool is_guard = i < gap || (i - gap) % (columns_ + gap) >= columns_;
      if (is_guard && std::memcmp(memory_.data() + i, &expected, sizeof(T)) != 0) {
        return testing::AssertionFailure() << "the guard at element " << i - gap << " holds " << memory_[i];
      }
    }
    return testing::AssertionSuccess();
  }

 private:
  static T guard() { return T(-7.75e8); }

  Index rows_;
  Index columns_;
  Tensor<T, 1> memory_;
};

/// The same numbers in another type.
template <class To, class From, std::size_t Rank>
Tensor<To, Rank> converted(const Tensor<From, Rank>& from) {
  Tensor<To, Rank> to(from.extents());
  for (Index i = 0; i < from.size(); ++i) to.data()[i] = static_cast<To>(from.data()[i]);
  return to;
}

}  // namespace couplet::test
