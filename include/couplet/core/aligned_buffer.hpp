#pragma once
/// Owned memory on a 64-byte boundary: one cache line, one AVX-512 vector, one row of an AMX tile.
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "couplet/core/shape.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace couplet::inline COUPLET_ABI {

inline constexpr std::size_t alignment = 64;

namespace detail {

/// Large buffers begin on a huge page and ask for huge pages: a product that streams 300 MB of weights past one picture
/// spends a tenth of its time on address translation otherwise (measured on Zen 4, pages of 4 KiB).
inline constexpr std::size_t huge_page = std::size_t{2} << 20;

inline std::align_val_t buffer_alignment(std::size_t bytes) {
  return std::align_val_t{bytes >= 2 * huge_page ? huge_page : alignment};
}

inline void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  // Whole pages only: the memory in use does not grow. A refusal changes nothing but the speed.
  if (bytes >= 2 * huge_page) static_cast<void>(madvise(data, bytes / huge_page * huge_page, MADV_HUGEPAGE));
#endif
}

}  // namespace detail

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
      data_ = static_cast<T*>(::operator new(bytes, detail::buffer_alignment(bytes)));
      detail::advise_huge_pages(data_, bytes);
      std::memset(static_cast<void*>(data_), 0, bytes);
      capacity_ = size;
    }
    size_ = size;
  }

  void release() noexcept {
    if (data_ != nullptr) {
      ::operator delete(data_, detail::buffer_alignment(static_cast<std::size_t>(capacity_) * sizeof(T)));
    }
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
