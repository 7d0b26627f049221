#pragma once
/// Extents of tensors and their text form: "(2, 12, 50, 64)".
#include <array>
#include <cstddef>
#include <string>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI {

/// Sizes, positions and strides, counted in elements.
using Index = std::ptrdiff_t;

/// Extents of a tensor whose rank is known at compile time.
template <std::size_t Rank>
using Extents = std::array<Index, Rank>;

/// a * b; throws std::invalid_argument instead of overflowing.
inline Index checked_multiply(Index a, Index b) {
  Index product = 0;
  if (__builtin_mul_overflow(a, b, &product)) fail("shape", "the number of elements overflows 64 bits");
  return product;
}

/// Extents of a tensor whose rank is known at run time (parameters, tensors in files). At most 8 dimensions.
class Shape {
 public:
  static constexpr std::size_t max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<Index> extents) : Shape(extents.begin(), extents.size()) {}
  template <std::size_t Rank>
  Shape(const Extents<Rank>& extents) : Shape(extents.data(), Rank) {}  // NOLINT: an Extents is a Shape
  Shape(const Index* extents, std::size_t rank) : rank_(rank) {
    if (rank > max_rank) fail("shape", "a tensor has at most 8 dimensions, not " + std::to_string(rank));
    for (std::size_t i = 0; i < rank; ++i) {
      if (extents[i] < 0) fail("shape", "an extent is negative: " + std::to_string(extents[i]));
      extents_[i] = extents[i];
    }
  }

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] Index operator[](std::size_t i) const { return extents_[i]; }
  [[nodiscard]] const Index* begin() const { return extents_.data(); }
  [[nodiscard]] const Index* end() const { return extents_.data() + rank_; }

  /// The number of elements: the product of the extents, 1 for a scalar.
  [[nodiscard]] Index size() const {
    Index n = 1;
    for (const Index extent : *this) n = checked_multiply(n, extent);
    return n;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (std::size_t i = 0; i < a.rank_; ++i) {
      if (a.extents_[i] != b.extents_[i]) return false;
    }
    return true;
  }

 private:
  std::array<Index, max_rank> extents_{};
  std::size_t rank_ = 0;
};

/// "(2, 3)", "(5)", "()".
inline std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + ")";
}

}  // namespace couplet::inline COUPLET_ABI
