#pragma once
/// The pairs of symbols that byte pair encoding joins, and the joining: the neighbouring pair of lowest rank first, the
/// leftmost of equals, until no pair is in the table. A heap of candidate pairs over a linked list makes that
/// O(n log n) for n symbols.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

class MergeTable {
 public:
  struct Merge {
    std::int32_t left, right;  // ids
    std::int32_t rank;         // >= 0
    std::int32_t result;       // id of the joined symbol
  };

  MergeTable() = default;
  /// Of merges of the same pair the one of lowest rank counts. Ids are >= 0.
  explicit MergeTable(std::vector<Merge> merges) : merges_(std::move(merges)) {
    std::sort(merges_.begin(), merges_.end(), [](const Merge& a, const Merge& b) {
      return key(a.left, a.right) != key(b.left, b.right) ? key(a.left, a.right) < key(b.left, b.right)
                                                          : a.rank < b.rank;
    });
    first_.assign(merges_.empty() ? 1 : static_cast<std::size_t>(merges_.back().left) + 2, 0);
    rights_.reserve(merges_.size());
    for (const Merge& merge : merges_) {
      ++first_[static_cast<std::size_t>(merge.left) + 1];
      rights_.push_back(merge.right);
    }
    for (std::size_t id = 0; id + 1 < first_.size(); ++id) first_[id + 1] += first_[id];
  }

  /// The ranks of two merges of the same pair, if there are such.
  [[nodiscard]] std::optional<std::pair<std::int32_t, std::int32_t>> repeated() const {
    for (std::size_t k = 1; k < merges_.size(); ++k) {
      const Merge &a = merges_[k - 1], &b = merges_[k];
      if (a.left == b.left && a.right == b.right) return std::pair(a.rank, b.rank);
    }
    return std::nullopt;
  }

  /// Buffers of join, to be reused from text to text.
  struct Scratch {
    struct Symbol {
      std::int32_t id, previous, next;  // places in `symbols`; -1: none
      std::int32_t merge;               // of the pair (this, next): place in merges_; -1: none
    };
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> heap;  // rank << 32 | place of the left half

    void clear() { symbols.clear(); }
    void push(std::int32_t id) {
      const auto place = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({id, place - 1, place + 1, -1});
    }
  };

  /// Joins the symbols that were pushed into `scratch`, and calls symbol(id) for those that remain, in order.
  template <class Symbol>
  void join(Scratch& scratch, Symbol&& symbol) const {
    auto& symbols = scratch.symbols;
    auto& heap = scratch.heap;
    if (symbols.empty()) return;
    symbols.back().next = -1;
    heap.clear();
    const auto later = std::greater<>();
    for (std::size_t k = 0; k < symbols.size(); ++k) consider(scratch, static_cast<std::int32_t>(k));
    std::make_heap(heap.begin(), heap.end(), later);
    const auto consider_more = [&](std::int32_t k) {
      if (k >= 0 && consider(scratch, k)) std::push_heap(heap.begin(), heap.end(), later);
    };
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), later);
      const std::uint64_t top = heap.back();
      heap.pop_back();
      const auto k = static_cast<std::int32_t>(top & 0xffffffff);
      auto& left = symbols[static_cast<std::size_t>(k)];
      // Joined meanwhile, or its neighbour was.
      if (left.merge < 0 || merge(left.merge).rank != static_cast<std::int32_t>(top >> 32)) continue;
      auto& right = symbols[static_cast<std::size_t>(left.next)];
      left.id = merge(left.merge).result;
      left.next = right.next;
      right.merge = -1;
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = k;
      consider_more(k);
      consider_more(left.previous);
    }
    for (std::int32_t k = 0; k >= 0; k = symbols[static_cast<std::size_t>(k)].next) {
      symbol(symbols[static_cast<std::size_t>(k)].id);
    }
  }

 private:
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
  }
  [[nodiscard]] const Merge& merge(std::int32_t place) const { return merges_[static_cast<std::size_t>(place)]; }

  /// Place of a pair, -1 if it is not in the table.
  [[nodiscard]] std::int32_t find(std::int32_t left, std::int32_t right) const {
    const auto l = static_cast<std::size_t>(left);
    if (l + 1 >= first_.size()) return -1;
    const auto end = rights_.begin() + first_[l + 1];
    const auto at = std::lower_bound(rights_.begin() + first_[l], end, right);
    return at != end && *at == right ? static_cast<std::int32_t>(at - rights_.begin()) : -1;
  }

  /// Looks the pair at k up anew and notes it in the heap, unordered; whether it is in the table.
  bool consider(Scratch& scratch, std::int32_t k) const {
    auto& left = scratch.symbols[static_cast<std::size_t>(k)];
    left.merge = left.next < 0 ? -1 : find(left.id, scratch.symbols[static_cast<std::size_t>(left.next)].id);
    if (left.merge < 0) return false;
    scratch.heap.push_back(static_cast<std::uint64_t>(merge(left.merge).rank) << 32 | static_cast<std::uint64_t>(k));
    return true;
  }

  std::vector<Merge> merges_;          // sorted by pair
  std::vector<std::int32_t> rights_;   // of merges_: what is searched, close together
  std::vector<std::ptrdiff_t> first_;  // merges_[first_[id]..first_[id + 1]) have this left half
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
