#pragma once
/// SentencePiece's precompiled character map: what a run of bytes is replaced by before a text is cut into pieces
/// (nmt_nfkc and the like).
///
/// The form in files: the size of a trie in bytes (32 bits, little-endian), the trie, then the replacements, each ended
/// by a NUL. The trie is a double array in the layout of Darts-clone (S. Yata, github.com/s-yata/darts-clone): units of
/// 32 bits; from the node at unit i the byte c leads to unit j = i ^ offset(i) ^ c, if the label of j is c; a unit with
/// bit 8 has the value of its string at i ^ offset(i). A value is the place of a replacement. No string holds a NUL.
///
/// A trie from a file may point anywhere. The constructor walks all of it: places in range, no string longer than
/// max_key_bytes (so no cycle), every value a replacement; looking up checks each step again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

class CharacterMap {
 public:
  static constexpr std::size_t max_key_bytes = 64;           // published maps: up to 18
  static constexpr std::size_t max_replacement_bytes = 128;  // NFKC: up to 33, of U+FDFA

  CharacterMap() = default;  ///< replaces nothing

  /// `map` as it stands in files; empty: replaces nothing. file_error: damaged.
  explicit CharacterMap(std::string_view map, const std::string& file) {
    if (map.empty()) return;
    const auto refuse = [&file](const std::string& why) { throw file_error(file, "character map: " + why); };
    std::uint32_t size = 0;
    if (map.size() < sizeof size) refuse("cut off, " + std::to_string(map.size()) + " bytes");
    std::memcpy(&size, map.data(), sizeof size);
    map.remove_prefix(sizeof size);
    if (size == 0 || size % block_bytes != 0 || size > map.size()) {
      refuse("a trie of " + std::to_string(size) + " bytes in " + std::to_string(map.size()) +
             "; expected a multiple of " + std::to_string(block_bytes));
    }
    units_.resize(size / sizeof(std::uint32_t));
    std::memcpy(units_.data(), map.data(), size);
    replacements_ = map.substr(size);
    if (!replacements_.ends_with('\0')) refuse("the last replacement has no end");
    if (!valid_utf8(replacements_)) refuse("a replacement is not UTF-8");
    check(refuse);
  }

  struct Match {
    std::size_t length = 0;  // bytes of the text; 0: nothing fits
    std::string_view replacement;
  };
  /// What the longest string of the map that `text` begins with is replaced by.
  [[nodiscard]] Match longest_match(std::string_view text) const {
    Match longest;
    for_each_match(text, [&longest](const Match& match) {
      longest = match;
      return true;
    });
    return longest;
  }
  [[nodiscard]] Match shortest_match(std::string_view text) const {
    Match shortest;
    for_each_match(text, [&shortest](const Match& match) {
      shortest = match;
      return false;
    });
    return shortest;
  }

 private:
  static constexpr std::uint32_t block_bytes = 1024;

  static std::size_t offset(std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & 0x200U) >> 6); }
  /// With the bit that marks values, so that a value is never taken for a step.
  static std::uint32_t label(std::uint32_t unit) { return unit & 0x800000ffU; }
  static bool has_value(std::uint32_t unit) { return (unit & 0x100U) != 0; }
  static std::size_t value(std::uint32_t unit) { return unit & 0x7fffffffU; }

  /// Shortest first, until found(match) returns false.
  template <class Found>
  void for_each_match(std::string_view text, Found&& found) const {
    if (units_.empty()) return;
    std::size_t at = offset(units_[0]);
    for (std::size_t k = 0; k < text.size() && k < max_key_bytes; ++k) {
      const auto byte = static_cast<unsigned char>(text[k]);
      at ^= byte;
      if (byte == 0 || at >= units_.size() || label(units_[at]) != byte) return;
      const std::uint32_t unit = units_[at];
      at ^= offset(unit);
      if (!has_value(unit) || at >= units_.size()) continue;
      if (!found(Match{k + 1, replacement(value(units_[at]))})) return;
    }
  }

  /// Up to the NUL; in range as check() has seen.
  [[nodiscard]] std::string_view replacement(std::size_t place) const {
    return std::string_view(replacements_.data() + place);
  }

  /// Depth first over all nodes, each once: below a node that was finished before, only the length matters.
  template <class Refuse>
  void check(const Refuse& refuse) const {
    if ((units_[0] & 0x80000000U) != 0) refuse("the root of the trie is a value");
    std::vector<std::uint8_t> longest_below(units_.size(),
                                            unvisited);  // by the place a node's children are counted from
    struct Frame {
      std::size_t place;
      std::uint32_t next_byte;
      std::uint8_t longest;
    };
    std::vector<Frame> path;  // at most max_key_bytes + 1
    const auto enter = [&](std::size_t place) {
      if (place >= units_.size()) refuse("the trie points out of itself");
      if (path.size() > max_key_bytes) refuse("a string of more than " + std::to_string(max_key_bytes) + " bytes");
      path.push_back({place, 1, 0});
    };
    enter(offset(units_[0]));
    while (!path.empty()) {
      Frame& frame = path.back();
      if (frame.next_byte == 256) {
        const std::uint8_t longest = longest_below[frame.place] = frame.longest;
        path.pop_back();
        if (!path.empty()) path.back().longest = std::max(path.back().longest, static_cast<std::uint8_t>(longest + 1));
        continue;
      }
      const std::uint32_t byte = frame.next_byte++;
      const std::size_t step = frame.place ^ byte;
      if (step >= units_.size() || label(units_[step]) != byte) continue;
      const std::size_t below = step ^ offset(units_[step]);
      if (has_value(units_[step])) check_value(below, refuse);
      if (below < units_.size() && longest_below[below] != unvisited) {
        if (path.size() + longest_below[below] > max_key_bytes) refuse("strings are too long");
        frame.longest = std::max(frame.longest, static_cast<std::uint8_t>(longest_below[below] + 1));
      } else {
        enter(below);
      }
    }
  }

  template <class Refuse>
  void check_value(std::size_t place, const Refuse& refuse) const {
    if (place >= units_.size()) refuse("the trie points out of itself");
    const std::size_t at = value(units_[place]);
    if (at >= replacements_.size()) refuse("no replacement at " + std::to_string(at));
    const bool inside_character = (static_cast<unsigned char>(replacements_[at]) & 0xc0U) == 0x80U;
    if (inside_character) refuse("the replacement at " + std::to_string(at) + " begins inside a character");
    if (replacement(at).size() > max_replacement_bytes) {
      refuse("a replacement of more than " + std::to_string(max_replacement_bytes) + " bytes");
    }
  }

  static constexpr std::uint8_t unvisited = 255;

  std::vector<std::uint32_t> units_;
  std::string replacements_;  // ends with a NUL
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
