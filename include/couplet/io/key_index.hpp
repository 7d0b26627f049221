#pragma once
/// The keys of an object, a table of tensors or a list of metadata, sorted: finds a duplicate and looks a key up in
/// O(log n) comparisons. Sorting, unlike hashing, has no input that makes it slow.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::io {

/// Does not own the keys: each call is given `key_of(i)`, the std::string_view of key i, 0 <= i < n < 2^32.
class KeyIndex {
 public:
  KeyIndex() = default;
  template <class KeyOf>
  KeyIndex(std::size_t n, const KeyOf& key_of) : order_(n) {
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    // Ties keep the order of the keys, so that of two equal ones the later is called the duplicate.
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int order = std::string_view(key_of(a)).compare(key_of(b));
      return order != 0 ? order < 0 : a < b;
    });
  }

  /// A key that stands there more than once: the position of its second appearance.
  template <class KeyOf>
  [[nodiscard]] std::optional<std::size_t> duplicate(const KeyOf& key_of) const {
    for (std::size_t i = 1; i < order_.size(); ++i) {
      if (std::string_view(key_of(order_[i - 1])) == key_of(order_[i])) return order_[i];
    }
    return std::nullopt;
  }

  template <class KeyOf>
  [[nodiscard]] std::optional<std::size_t> find(std::string_view key, const KeyOf& key_of) const {
    const auto at = std::lower_bound(order_.begin(), order_.end(), key, [&](std::uint32_t i, std::string_view wanted) {
      return std::string_view(key_of(i)) < wanted;
    });
    if (at == order_.end() || std::string_view(key_of(*at)) != key) return std::nullopt;
    return *at;
  }

 private:
  std::vector<std::uint32_t> order_;  // positions by key
};

}  // namespace couplet::inline COUPLET_ABI::io
