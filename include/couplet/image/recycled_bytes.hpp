#pragma once
/// Memory of pictures that a thread uses again. The C library gives large memory back to the system with every picture
/// and takes it anew, at a page fault for every 4 KiB: a third of the time from a JPEG of 500 x 375 to a tensor.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// Memory that one thread keeps: a few buffers of together at most 48 MiB (a picture of 12 megapixels has 36 MB).
class RecycledBytes {
 public:
  static constexpr std::size_t most_bytes = std::size_t{48} << 20U;

  /// `size` bytes of unspecified content: the smallest buffer that has room for them, and for no more than four times
  /// as many, since the caller may keep it; otherwise fresh memory.
  [[nodiscard]] std::vector<std::uint8_t> take(std::size_t size) {
    std::vector<std::uint8_t>* best = nullptr;
    for (auto& each : buffers_) {
      const bool suits = each.capacity() >= size && each.capacity() / 4 <= size;
      if (suits && (best == nullptr || each.capacity() < best->capacity())) best = &each;
    }
    std::vector<std::uint8_t> bytes;
    if (best != nullptr) bytes.swap(*best);
    bytes.resize(size);
    return bytes;
  }

  /// Keeps the memory of `bytes` in a free place or that of the oldest buffer, unless all would be too much.
  void give(std::vector<std::uint8_t>&& bytes) noexcept {
    std::vector<std::uint8_t> given = std::move(bytes), oldest;
    auto place = std::find_if(buffers_.begin(), buffers_.end(), [](const auto& each) { return each.capacity() == 0; });
    if (place == buffers_.end()) place = buffers_.begin() + next_++ % buffers_.size();
    oldest.swap(*place);
    std::size_t kept = given.capacity();
    for (const auto& each : buffers_) kept += each.capacity();
    if (kept <= most_bytes) place->swap(given);
  }

 private:
  std::array<std::vector<std::uint8_t>, 4> buffers_;
  std::size_t next_ = 0;
};

/// The calling thread's.
inline RecycledBytes& recycled_bytes() noexcept {
  thread_local RecycledBytes bytes;
  return bytes;
}

}  // namespace couplet::inline COUPLET_ABI::image
