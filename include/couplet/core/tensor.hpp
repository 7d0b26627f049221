#pragma once
/// Tensor owns, TensorView borrows.
///
/// A tensor is row-major, contiguous and 64-byte aligned. A view may be strided in its leading dimensions; its last
/// dimension is always contiguous. The rank is static, the extents are run-time values. There are no expression
/// templates and no broadcasting: operations are named functions on views. TensorView<const T, Rank> is an input.
#include <algorithm>
#include <type_traits>

#include "couplet/core/aligned_buffer.hpp"
#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI {

namespace detail {

/// Strides of a contiguous row-major tensor: (12, 4, 1) for (2, 3, 4).
template <std::size_t Rank>
constexpr Extents<Rank> row_major_strides(const Extents<Rank>& extents) {
  Extents<Rank> strides{};
  Index stride = 1;
  for (std::size_t i = Rank; i-- > 0;) {
    strides[i] = stride;
    stride *= extents[i];
  }
  return strides;
}

}  // namespace detail

template <class T, std::size_t Rank>
class TensorView {
  static_assert(Rank >= 1);

 public:
  using value_type = std::remove_const_t<T>;
  static constexpr std::size_t rank = Rank;

  TensorView() = default;
  TensorView(T* data, const Extents<Rank>& extents)
      : TensorView(data, extents, detail::row_major_strides<Rank>(extents)) {}
  /// Strides are counted in elements; the last one must be 1.
  TensorView(T* data, const Extents<Rank>& extents, const Extents<Rank>& strides)
      : data_(data), extents_(extents), strides_(strides) {
    if (strides[Rank - 1] != 1) fail("tensor", "the last dimension of a view must be contiguous");
  }
  /// A view of mutable elements is also a view of constant ones.
  template <class U>
  requires(std::is_const_v<T>&& std::is_same_v<U, value_type>)
      TensorView(const TensorView<U, Rank>& other)  // NOLINT: implicit on purpose, as int* to const int*
      : data_(other.data()), extents_(other.extents()), strides_(other.strides()) {}

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] const Extents<Rank>& extents() const { return extents_; }
  [[nodiscard]] const Extents<Rank>& strides() const { return strides_; }
  [[nodiscard]] Index extent(std::size_t i) const { return extents_[i]; }
  [[nodiscard]] Index stride(std::size_t i) const { return strides_[i]; }
  [[nodiscard]] Shape shape() const { return Shape(extents_); }
  [[nodiscard]] Index size() const {
    Index n = 1;
    for (const Index extent : extents_) n *= extent;
    return n;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool contiguous() const { return strides_ == detail::row_major_strides<Rank>(extents_); }

  template <class... Indices>
  requires(sizeof...(Indices) == Rank) [[nodiscard]] T& operator()(Indices... indices) const {
    const Extents<Rank> position{static_cast<Index>(indices)...};
    Index offset = 0;
    for (std::size_t i = 0; i < Rank; ++i) offset += position[i] * strides_[i];
    return data_[offset];
  }

  /// The i-th slice along the first dimension.
  [[nodiscard]] TensorView<T, Rank - 1> operator[](Index i) const requires(Rank > 1) {
    Extents<Rank - 1> extents;
    Extents<Rank - 1> strides;
    for (std::size_t d = 1; d < Rank; ++d) {
      extents[d - 1] = extents_[d];
      strides[d - 1] = strides_[d];
    }
    return TensorView<T, Rank - 1>(data_ + i * strides_[0], extents, strides);
  }
  [[nodiscard]] T& operator[](Index i) const requires(Rank == 1) { return data_[i]; }

  /// Elements [begin, end) of the first dimension: for a matrix, some of its rows.
  [[nodiscard]] TensorView slice(Index begin, Index end) const {
    TensorView part = *this;
    part.data_ += begin * strides_[0];
    part.extents_[0] = end - begin;
    return part;
  }
  /// Elements [begin, end) of the last dimension: for a matrix, some of its columns.
  [[nodiscard]] TensorView columns(Index begin, Index end) const {
    TensorView part = *this;
    part.data_ += begin;
    part.extents_[Rank - 1] = end - begin;
    return part;
  }

 private:
  T* data_ = nullptr;
  Extents<Rank> extents_{};
  Extents<Rank> strides_ = detail::row_major_strides<Rank>(Extents<Rank>{});
};

template <class T, std::size_t Rank>
class Tensor {
 public:
  using value_type = T;

  Tensor() = default;
  /// Elements are zero.
  explicit Tensor(const Extents<Rank>& extents) { resize(extents); }

  /// Keeps the memory whenever it suffices; the content is unspecified afterwards.
  void resize(const Extents<Rank>& extents) {
    buffer_.resize(Shape(extents).size());
    extents_ = extents;
  }
  void fill(T value) { std::fill_n(data(), size(), value); }
  /// All elements become zero; large memory takes no room until it is written again.
  void clear() { buffer_.clear(); }

  [[nodiscard]] T* data() { return buffer_.data(); }
  [[nodiscard]] const T* data() const { return buffer_.data(); }
  [[nodiscard]] Index size() const { return buffer_.size(); }
  [[nodiscard]] Index extent(std::size_t i) const { return extents_[i]; }
  [[nodiscard]] const Extents<Rank>& extents() const { return extents_; }
  [[nodiscard]] Shape shape() const { return Shape(extents_); }

  [[nodiscard]] TensorView<T, Rank> view() { return {data(), extents_}; }
  [[nodiscard]] TensorView<const T, Rank> view() const { return {data(), extents_}; }
  operator TensorView<T, Rank>() { return view(); }              // NOLINT: a tensor is a view of itself
  operator TensorView<const T, Rank>() const { return view(); }  // NOLINT
  operator TensorView<const T, Rank>() { return view(); }        // NOLINT

  template <class... Indices>
  [[nodiscard]] T& operator()(Indices... indices) {
    return view()(indices...);
  }
  template <class... Indices>
  [[nodiscard]] const T& operator()(Indices... indices) const {
    return view()(indices...);
  }
  [[nodiscard]] auto operator[](Index i) -> decltype(auto) { return view()[i]; }
  [[nodiscard]] auto operator[](Index i) const -> decltype(auto) { return view()[i]; }

 private:
  AlignedBuffer<T> buffer_;
  Extents<Rank> extents_{};
};

/// Copies element by element between views of equal shape.
template <class T, class U, std::size_t Rank>
requires(std::is_same_v<std::remove_const_t<T>, U>) void copy(TensorView<T, Rank> from, TensorView<U, Rank> to) {
  if (from.extents() != to.extents()) {
    fail("copy", "shapes differ: from " + to_string(from.shape()) + ", to " + to_string(to.shape()));
  }
  if constexpr (Rank == 1) {
    std::copy_n(from.data(), from.size(), to.data());
  } else {
    for (Index i = 0; i < from.extent(0); ++i) copy(from[i], to[i]);
  }
}

}  // namespace couplet::inline COUPLET_ABI
