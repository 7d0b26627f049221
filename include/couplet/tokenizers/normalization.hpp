#pragma once
/// Unicode normalization form C: canonical decomposition, canonical order, canonical composition.
///
/// Unicode Standard Annex 15; Hangul syllables by the arithmetic of The Unicode Standard, section 3.12. Linear in the
/// length of the text but for the sorting of runs of combining marks (n log n). Versions differ in 98 marks and one
/// composition; Hugging Face's tokenizers have the tables of Unicode 9, Python 3.11 those of 14.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "couplet/config.hpp"
#include "couplet/tokenizers/normalization_tables.hpp"
#include "couplet/tokenizers/unicode.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

enum class UnicodeVersion { v9, v14 };

namespace detail {

/// Hangul syllables: S = 0xac00 + (l * 21 + v) * 28 + t, with l < 19, v < 21, t < 28 (t = 0: none).
inline constexpr char32_t hangul_s = 0xac00, hangul_l = 0x1100, hangul_v = 0x1161, hangul_t = 0x11a7;
inline constexpr char32_t hangul_ls = 19, hangul_vs = 21, hangul_ts = 28;

/// Whether a version has a class, a decomposition or a composition for c if Unicode 14 has one.
inline bool known_to(UnicodeVersion version, char32_t c) {
  return version == UnicodeVersion::v14 || !inside(after_unicode_9_edges, c);
}

/// Canonical_Combining_Class.
inline std::uint32_t combining_class(char32_t c, UnicodeVersion version) {
  if (c < 0x300) return 0;
  const auto* range = std::lower_bound(std::begin(combining_ranges), std::end(combining_ranges), c,
                                       [](const CombiningRange& r, char32_t value) { return r.last < value; });
  const bool found = range != std::end(combining_ranges) && c >= range->first && known_to(version, c);
  return found ? range->combining_class : 0;
}

/// The code point that c alone stands for; c itself if there is none.
inline char32_t single_decomposition(char32_t c) {
  std::size_t at = 0;
  for (const SingleRun& run : single_runs) {
    if (c < run.first) break;
    if (c < run.first + run.count) return single_targets[at + (c - run.first)];
    at += run.count;
  }
  return c;
}

/// Appends the full canonical decomposition of c.
inline void append_decomposition(char32_t c, UnicodeVersion version, std::u32string& out) {
  if (c < 0xc0 || !known_to(version, c)) {
    out += c;
    return;
  }
  if (c >= hangul_s && c < hangul_s + hangul_ls * hangul_vs * hangul_ts) {
    const char32_t s = c - hangul_s;
    out += static_cast<char32_t>(hangul_l + s / (hangul_vs * hangul_ts));
    out += static_cast<char32_t>(hangul_v + s / hangul_ts % hangul_vs);
    if (s % hangul_ts != 0) out += static_cast<char32_t>(hangul_t + s % hangul_ts);
    return;
  }
  // First halves decompose again, at most three times deep; second halves never do.
  char32_t seconds[8];
  std::size_t count = 0;
  for (;;) {
    c = single_decomposition(c);
    const auto* pair = std::lower_bound(std::begin(pair_decompositions), std::end(pair_decompositions), c,
                                        [](const PairDecomposition& p, char32_t value) { return p.code < value; });
    if (pair == std::end(pair_decompositions) || pair->code != c || count == std::size(seconds)) break;
    seconds[count++] = pair->second;
    c = pair->first;
  }
  out += c;
  while (count > 0) out += seconds[--count];
}

using Composition = std::pair<std::uint64_t, char32_t>;  // (first << 32 | second, composed)

/// A function and not a lambda: compilers try to evaluate a lambda at compile time, which costs half a second here.
inline std::vector<Composition> read_compositions() {
  std::vector<Composition> all;
  for (const PairDecomposition& p : pair_decompositions) {
    if (std::binary_search(std::begin(composition_exclusions), std::end(composition_exclusions), p.code)) continue;
    all.emplace_back(std::uint64_t{p.first} << 32 | p.second, char32_t{p.code});
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// The code point that two neighbours compose to; 0 if none.
inline char32_t composition(char32_t first, char32_t second, UnicodeVersion version) {
  static const std::vector<Composition> table = read_compositions();
  if (first >= hangul_l && first < hangul_l + hangul_ls) {
    if (second < hangul_v || second >= hangul_v + hangul_vs) return 0;
    return hangul_s + ((first - hangul_l) * hangul_vs + (second - hangul_v)) * hangul_ts;
  }
  if (first >= hangul_s && first < hangul_s + hangul_ls * hangul_vs * hangul_ts) {
    const bool open = (first - hangul_s) % hangul_ts == 0;
    return open && second > hangul_t && second < hangul_t + hangul_ts ? first + (second - hangul_t) : 0;
  }
  const std::uint64_t key = std::uint64_t{first} << 32 | second;
  const auto found = std::lower_bound(table.begin(), table.end(), Composition{key, 0});
  return found != table.end() && found->first == key && known_to(version, found->second) ? found->second : 0;
}

/// Sorts each run of combining marks by class, keeping the order of equals.
inline void order_marks(std::u32string& text, UnicodeVersion version) {
  std::vector<std::pair<std::uint32_t, char32_t>> run;  // (class, mark)
  for (std::size_t at = 0; at < text.size(); ++at) {
    run.clear();
    for (std::size_t k = at; k < text.size(); ++k) {
      const std::uint32_t cls = combining_class(text[k], version);
      if (cls == 0) break;
      run.emplace_back(cls, text[k]);
    }
    const auto by_class = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(run.begin(), run.end(), by_class);
    for (const auto& mark : run) text[at++] = mark.second;
  }
}

}  // namespace detail

/// NFC of a sequence of code points.
[[nodiscard]] inline std::u32string nfc(std::u32string text, UnicodeVersion version) {
  // Below U+0300 nothing combines and nothing is decomposed for good.
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x300; })) return text;
  std::u32string parts;
  parts.reserve(text.size());
  for (const char32_t c : text) detail::append_decomposition(c, version, parts);
  detail::order_marks(parts, version);

  std::u32string& out = text;
  out.clear();
  std::size_t starter = 0;  // place in `out` of the last code point of class 0
  bool any_starter = false;
  std::int64_t last = -1;  // class of the last mark after the starter; -1: none
  for (const char32_t c : parts) {
    const auto cls = static_cast<std::int64_t>(detail::combining_class(c, version));
    if (any_starter && last < cls) {  // not blocked from the starter
      if (const char32_t composed = detail::composition(out[starter], c, version); composed != 0) {
        out[starter] = composed;
        continue;
      }
    }
    if (cls == 0) starter = out.size(), any_starter = true;
    last = cls == 0 ? -1 : cls;
    out += c;
  }
  return text;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
