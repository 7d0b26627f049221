#pragma once
/// A set of strings with an id each, for finding all that a text begins with, shortest first.
///
/// Nodes are numbered level by level, so that the children of a node lie side by side: a node is three numbers, and a
/// step down is a search among sorted labels. Built without recursion from the sorted strings; the number of nodes is
/// at most that of their characters.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

template <class Char>
class PrefixTrie {
 public:
  using Text = std::basic_string_view<Char>;

  PrefixTrie() : PrefixTrie(std::vector<std::pair<Text, std::int32_t>>()) {}

  /// The texts are not kept. Of equal ones the first counts; empty ones are never found. Ids are >= 0.
  explicit PrefixTrie(std::vector<std::pair<Text, std::int32_t>> strings) {
    std::erase_if(strings, [](const auto& string) { return string.first.empty(); });
    std::stable_sort(strings.begin(), strings.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    struct Range {
      std::size_t begin, end, depth;  // the strings that pass through a node
    };
    std::vector<Range> ranges{{0, strings.size(), 0}};
    labels_.push_back(Char());
    for (std::size_t node = 0; node < ranges.size(); ++node) {
      auto [begin, end, depth] = ranges[node];
      const bool here = begin < end && strings[begin].first.size() == depth;
      ids_.push_back(here ? strings[begin].second : none);
      while (begin < end && strings[begin].first.size() == depth) ++begin;
      first_child_.push_back(static_cast<std::uint32_t>(ranges.size()));
      while (begin < end) {
        const Char label = strings[begin].first[depth];
        std::size_t next = begin + 1;
        while (next < end && strings[next].first[depth] == label) ++next;
        ranges.push_back({begin, next, depth + 1});
        labels_.push_back(label);
        begin = next;
      }
    }
    first_child_.push_back(static_cast<std::uint32_t>(ranges.size()));
    for (std::uint32_t node = first_child_[0]; node < first_child_[1]; ++node) {
      if (code(labels_[node]) < roots_.size()) roots_[code(labels_[node])] = node;
    }
  }

  [[nodiscard]] bool empty() const { return labels_.size() == 1; }

  /// Calls found(length, id) for each string that `text` begins with, shortest first.
  template <class Found>
  void for_each_prefix(Text text, Found&& found) const {
    std::uint32_t node = 0;
    for (std::size_t k = 0; k < text.size(); ++k) {
      node = k == 0 ? root(text[0]) : child(node, text[k]);
      if (node == 0) return;
      if (ids_[node] != none) found(k + 1, ids_[node]);
    }
  }

  struct Match {
    std::size_t length = 0;
    std::int32_t id = none;
  };
  /// The longest string that `text` begins with; length 0 if there is none.
  [[nodiscard]] Match longest_prefix(Text text) const {
    Match match;
    for_each_prefix(text, [&match](std::size_t length, std::int32_t id) { match = {length, id}; });
    return match;
  }

  static constexpr std::int32_t none = -1;

 private:
  /// 0 ... 255 for bytes.
  static std::size_t code(Char c) {
    if constexpr (sizeof(Char) == 1) return static_cast<unsigned char>(c);
    return static_cast<std::size_t>(c);
  }

  /// Child of the root; 0 if there is none.
  [[nodiscard]] std::uint32_t root(Char label) const {
    return code(label) < roots_.size() ? roots_[code(label)] : child(0, label);
  }

  /// 0 if there is no such child: the root is nobody's.
  [[nodiscard]] std::uint32_t child(std::uint32_t node, Char label) const {
    const auto begin = labels_.begin() + first_child_[node], end = labels_.begin() + first_child_[node + 1];
    const auto at = std::lower_bound(begin, end, label, less);
    return at != end && *at == label ? static_cast<std::uint32_t>(at - labels_.begin()) : 0;
  }
  /// In the order of std::basic_string_view, which takes char for unsigned.
  static bool less(Char a, Char b) { return std::char_traits<Char>::lt(a, b); }

  std::array<std::uint32_t, 256> roots_{};  // children of the root by label, 0: none
  std::vector<Char> labels_;                // of the step to a node
  std::vector<std::int32_t> ids_;           // of the string that ends at a node, or none
  std::vector<std::uint32_t> first_child_;  // children of n: [first_child_[n], first_child_[n + 1])
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
