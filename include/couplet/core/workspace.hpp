#pragma once
/// Scratch memory that is reused: after the largest call seen, taking from it allocates nothing.
///
/// A workspace is a stack. A Scope remembers the height of the stack and returns to it; take<T>(n) moves it up. Memory
/// stays where it is while its scope lives. Each thread of a parallel_for gets a child workspace of its own.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "couplet/core/aligned_buffer.hpp"
#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI {

class Workspace {
 public:
  Workspace() = default;
  Workspace(Workspace&&) noexcept = default;
  Workspace& operator=(Workspace&&) noexcept = default;

  /// Gives back, when destroyed, everything taken since it was made.
  class Scope {
   public:
    explicit Scope(Workspace& workspace) : workspace_(workspace), chunk_(workspace.chunk_), used_(workspace.used_) {}
    ~Scope() { workspace_.rewind(chunk_, used_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& workspace_;
    std::size_t chunk_;
    std::size_t used_;
  };

  /// `n` elements on a 64-byte boundary, content unspecified.
  template <class T>
  [[nodiscard]] T* take(Index n) {
    const Index bytes = checked_multiply(n, static_cast<Index>(sizeof(T)));
    return reinterpret_cast<T*>(take_bytes(static_cast<std::size_t>(bytes)));
  }
  template <class T, std::size_t Rank>
  [[nodiscard]] TensorView<T, Rank> tensor(const Extents<Rank>& extents) {
    return TensorView<T, Rank>(take<T>(Shape(extents).size()), extents);
  }
  template <class T>
  [[nodiscard]] TensorView<T, 2> matrix(Index rows, Index columns) {
    return tensor<T, 2>({rows, columns});
  }

  /// Makes children 0 .. count-1 exist; not thread-safe, called before threads start.
  void prepare_children(int count) {
    while (children_.size() < static_cast<std::size_t>(count)) children_.push_back(std::make_unique<Workspace>());
  }
  [[nodiscard]] Workspace& child(int i) { return *children_[static_cast<std::size_t>(i)]; }

  /// Bytes held, children included.
  [[nodiscard]] std::size_t capacity() const {
    std::size_t bytes = 0;
    for (const auto& chunk : chunks_) bytes += static_cast<std::size_t>(chunk.size());
    for (const auto& child : children_) bytes += child->capacity();
    return bytes;
  }

 private:
  static constexpr std::size_t first_chunk = std::size_t{1} << 16U;

  std::byte* take_bytes(std::size_t bytes) {
    bytes = (bytes + alignment - 1) / alignment * alignment;
    while (chunk_ < chunks_.size()) {
      const auto size = static_cast<std::size_t>(chunks_[chunk_].size());
      if (size - used_ >= bytes) {
        std::byte* memory = chunks_[chunk_].data() + used_;
        used_ += bytes;
        return memory;
      }
      ++chunk_;
      used_ = 0;
    }
    const std::size_t last = chunks_.empty() ? 0 : static_cast<std::size_t>(chunks_.back().size());
    chunks_.emplace_back(static_cast<Index>(std::max({bytes, 2 * last, first_chunk})));
    chunk_ = chunks_.size() - 1;
    used_ = bytes;
    return chunks_[chunk_].data();
  }

  /// When nothing is in use any more, several chunks become one, so that the next run of the same work fits in it.
  void rewind(std::size_t chunk, std::size_t used) noexcept {
    chunk_ = chunk;
    used_ = used;
    if (chunk_ != 0 || used_ != 0 || chunks_.size() < 2) return;
    Index total = 0;
    for (const auto& each : chunks_) total += each.size();
    try {
      AlignedBuffer<std::byte> merged(total);
      chunks_.resize(1);
      chunks_[0] = std::move(merged);
    } catch (...) {
      // Not enough memory for one large piece: the pieces keep serving.
    }
  }

  std::vector<AlignedBuffer<std::byte>> chunks_;
  std::size_t chunk_ = 0;  ///< the chunk being filled
  std::size_t used_ = 0;   ///< bytes used of it
  std::vector<std::unique_ptr<Workspace>> children_;
};

}  // namespace couplet::inline COUPLET_ABI
