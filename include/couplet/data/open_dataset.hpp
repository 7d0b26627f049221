#pragma once
/// A data set from what a user types: a shard, a list, a folder, a picture, or several of them.
///
///   open_dataset("shards/train-{000..003}.tar")      open_dataset("a.tar,b.tar")
///   open_dataset("captions.tsv")                     open_dataset("photos/")
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/image_files.hpp"
#include "couplet/data/image_text_list.hpp"
#include "couplet/data/picture_names.hpp"
#include "couplet/data/webdataset.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// The paths that a specification names: parts between commas, each with its braces expanded: {a,b} and {00..12}, a
/// range of integers of which a leading zero keeps the width, as in a shell. std::invalid_argument: a brace is not
/// closed or holds neither, or there are more than 100,000 paths.
std::vector<std::string> expand_paths(std::string_view specification);

/// Opens what `specification` names, by extension: .tar (webdataset), .tsv and .csv (lists), .png, .jpg and .jpeg, or a
/// folder of pictures. A path that exists as it stands is taken as it is. file_error: missing, malformed, or of a kind
/// that is not known.
std::unique_ptr<const Dataset> open_dataset(const std::string& specification, const ListOptions& options = {});

namespace detail {

inline constexpr std::size_t max_expanded_paths = 100'000;

/// Decimal digits of a range's end, at most 9.
inline bool parse_range_end(std::string_view text, std::int64_t& value) {
  value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  return !text.empty() && text.size() <= 9;
}

/// The choices of one pair of braces: "a,b,c" or "000..003".
inline std::vector<std::string> brace_choices(std::string_view inside) {
  std::vector<std::string> choices;
  std::int64_t first = 0, last = 0;
  const std::size_t dots = inside.find("..");
  if (dots != std::string_view::npos && parse_range_end(inside.substr(0, dots), first) &&
      parse_range_end(inside.substr(dots + 2), last)) {
    const std::size_t width = inside[0] == '0' ? dots : 0;
    const std::int64_t step = first <= last ? 1 : -1;
    if ((last - first) * step >= static_cast<std::int64_t>(max_expanded_paths)) {
      fail("expand_paths", "{" + printable(inside) + "} names too many paths");
    }
    for (std::int64_t i = first;; i += step) {
      std::string digits = std::to_string(i);
      if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
      choices.push_back(std::move(digits));
      if (i == last) return choices;
    }
  }
  if (inside.find(',') == std::string_view::npos) {
    fail("expand_paths", "expected {a,b} or {000..003}, found {" + printable(inside) + "}");
  }
  for (std::size_t begin = 0; begin <= inside.size();) {
    const std::size_t end = std::min(inside.find(',', begin), inside.size());
    choices.emplace_back(inside.substr(begin, end - begin));
    begin = end + 1;
  }
  return choices;
}

/// One part with its braces expanded from left to right; they do not nest.
inline std::vector<std::string> expand_braces(std::string_view part) {
  std::vector<std::string> paths{""};
  while (!part.empty()) {
    const std::size_t open = std::min(part.find('{'), part.size());
    for (std::string& path : paths) path += part.substr(0, open);
    if (open == part.size()) break;
    const std::size_t close = part.find('}', open);
    if (close == std::string_view::npos) fail("expand_paths", "a '{' is not closed in '" + printable(part) + "'");
    const auto choices = brace_choices(part.substr(open + 1, close - open - 1));
    if (paths.size() * choices.size() > max_expanded_paths) fail("expand_paths", "the braces name too many paths");
    std::vector<std::string> longer;
    for (const std::string& path : paths) {
      for (const std::string& choice : choices) longer.push_back(path + choice);
    }
    paths = std::move(longer);
    part.remove_prefix(close + 1);
  }
  return paths;
}

inline std::unique_ptr<const Dataset> open_one(const std::string& path, const ListOptions& options) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return ImageFiles::in_folder(path);
  const std::string extension = extension_of(path);
  if (extension == "tar") return std::make_unique<WebDataset>(path);
  if (extension == "tsv" || extension == "csv") return std::make_unique<ImageTextList>(path, options);
  if (is_picture_extension(extension)) return std::make_unique<ImageFiles>(std::vector<std::string>{path});
  if (extension == "gz" || extension == "tgz") throw file_error(path, "is compressed: unpack it first (gunzip)");
  throw file_error(path,
                   "expected a webdataset shard (.tar), a list (.tsv, .csv), a picture (.png, .jpg, .jpeg) or a "
                   "folder of pictures");
}

}  // namespace detail

inline std::vector<std::string> expand_paths(std::string_view specification) {
  std::vector<std::string> paths;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t at = 0; at <= specification.size(); ++at) {
    const char c = at < specification.size() ? specification[at] : ',';
    if (c == '{') inside = true;
    if (c == '}') inside = false;
    if (at < specification.size() && (c != ',' || inside)) continue;
    for (std::string& path : detail::expand_braces(specification.substr(begin, at - begin))) {
      if (path.empty()) fail("expand_paths", "an empty path in '" + printable(specification) + "'");
      if (paths.size() >= detail::max_expanded_paths) fail("expand_paths", "too many paths");
      paths.push_back(std::move(path));
    }
    begin = at + 1;
  }
  return paths;
}

inline std::unique_ptr<const Dataset> open_dataset(const std::string& specification, const ListOptions& options) {
  struct stat status {};
  if (::stat(specification.c_str(), &status) == 0) return detail::open_one(specification, options);
  const std::vector<std::string> paths = expand_paths(specification);
  if (paths.size() == 1) return detail::open_one(paths.front(), options);
  std::vector<std::unique_ptr<const Dataset>> parts;
  for (const std::string& path : paths) parts.push_back(detail::open_one(path, options));
  return std::make_unique<Concatenation>(std::move(parts));
}

}  // namespace couplet::inline COUPLET_ABI::data
