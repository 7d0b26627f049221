#pragma once
/// Owned memory on a 64-byte boundary: one cache line, one AVX-512 vector, one row of an AMX tile.
///
/// Large memory comes from the system page by page: it is zero without being written, takes no room before it is
/// touched, and clear() can give the room back while the addresses stay.
#include <cstddef>
#include <cstdint>
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

/// Memory from here on is the system's own pages.
#if defined(__linux__)
inline constexpr std::size_t smallest_system_pages = std::size_t{1} << 20U;

/// Large buffers begin on a huge page and ask for huge pages: a product that streams 300 MB of weights past one picture
/// spends a tenth of its time on address translation otherwise (measured on Zen 4, pages of 4 KiB).
inline constexpr std::size_t huge_page = std::size_t{2} << 20U;

inline void* map_zero_pages(std::size_t bytes) {
  const bool large = bytes >= 2 * huge_page;
  const std::size_t pages = (bytes + 4095) / 4096 * 4096;
  const std::size_t reserved = large ? pages + huge_page : pages;
  void* const memory = ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  if (!large) return memory;
  auto* const begin = static_cast<std::byte*>(memory);
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(memory) % huge_page) % huge_page;
  if (before > 0) ::munmap(begin, before);
  if (before < huge_page) ::munmap(begin + before + pages, huge_page - before);
  // Whole pages only: the memory in use does not grow. A refusal changes nothing but the speed.
  ::madvise(begin + before, bytes / huge_page * huge_page, MADV_HUGEPAGE);
  return begin + before;
}
inline void unmap_pages(void* memory, std::size_t bytes) noexcept { ::munmap(memory, bytes); }
/// Private anonymous pages are zero when they are touched again (madvise(2), MADV_DONTNEED).
inline bool drop_pages(void* memory, std::size_t bytes) noexcept {
  return ::madvise(memory, bytes, MADV_DONTNEED) == 0;
}
#else
inline constexpr std::size_t smallest_system_pages = ~std::size_t{0};

inline void* map_zero_pages(std::size_t) { throw std::bad_alloc(); }
inline void unmap_pages(void*, std::size_t) noexcept {}
inline bool drop_pages(void*, std::size_t) noexcept { return false; }
#endif

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
      if (bytes >= detail::smallest_system_pages) {
        data_ = static_cast<T*>(detail::map_zero_pages(bytes));
      } else {
        data_ = static_cast<T*>(::operator new (bytes, std::align_val_t{alignment}));
        std::memset(static_cast<void*>(data_), 0, bytes);
      }
      capacity_ = size;
    }
    size_ = size;
  }

  /// All elements become zero. Large memory takes no room afterwards until it is written again, which costs more time
  /// than writing memory that is there.
  void clear() noexcept {
    if (data_ == nullptr) return;
    if (capacity_bytes() >= detail::smallest_system_pages && detail::drop_pages(data_, capacity_bytes())) return;
    std::memset(static_cast<void*>(data_), 0, static_cast<std::size_t>(size_) * sizeof(T));
  }

  void release() noexcept {
    if (data_ != nullptr) {
      if (capacity_bytes() >= detail::smallest_system_pages) {
        detail::unmap_pages(data_, capacity_bytes());
      } else {
        ::operator delete (data_, std::align_val_t{alignment});
      }
    }
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] Index size() const { return size_; }
  [[nodiscard]] Index capacity() const { return capacity_; }

 private:
  [[nodiscard]] std::size_t capacity_bytes() const noexcept { return static_cast<std::size_t>(capacity_) * sizeof(T); }

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
