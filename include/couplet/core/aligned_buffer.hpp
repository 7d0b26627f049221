#pragma once
/// Owned memory on a 64-byte boundary: one cache line, one AVX-512 vector, one row of an AMX tile.
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI {

inline constexpr std::size_t alignment = 64;

/// `size` elements of a trivial type. Shrinking keeps the memory, growing loses the content; new memory is zero.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(Index size) { resize(size); }
  AlignedBuffer(const AlignedBuffer& other) { *this = other; }
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  ~AlignedBuffer() { release(); }

  AlignedBuffer& operator=(const AlignedBuffer& other) {
    if (this != &other) {
      resize(other.size_);
      if (size_ > 0) std::memcpy(data_, other.data_, static_cast<std::size_t>(size_) * sizeof(T));
    }
    return *this;
  }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    if (this != &other) {
      release();
      swap(other);
    }
    return *this;
  }

  /// Afterwards the content is unspecified if the size grew beyond the capacity, and kept otherwise.
  void resize(Index size) {
    if (size > capacity_) {
      release();
      const auto bytes = static_cast<std::size_t>(checked_multiply(size, static_cast<Index>(sizeof(T))));
      data_ = static_cast<T*>(::operator new (bytes, std::align_val_t{alignment}));
      std::memset(static_cast<void*>(data_), 0, bytes);
      capacity_ = size;
    }
    size_ = size;
  }

  void release() noexcept {
    if (data_ != nullptr) ::operator delete (data_, std::align_val_t{alignment});
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] Index size() const { return size_; }
  [[nodiscard]] Index capacity() const { return capacity_; }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  T* data_ = nullptr;
  Index size_ = 0;
  Index capacity_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI
