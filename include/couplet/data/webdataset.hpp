#pragma once
/// A webdataset shard: a tar archive whose members belong together by name, <key>.png|jpg|jpeg + <key>.txt [+
/// <key>.cls].
///
/// As in webdataset, the key is the path up to the first '.' of its last part and the extension, in lower case, all
/// that follows; other extensions (json, npy) are ignored. `.txt` holds captions, one a line, `.cls` the index of the
/// class in decimal. References: github.com/webdataset/webdataset, "The WebDataset Format"; several captions in lines
/// as in the retrieval sets of github.com/LAION-AI/CLIP_benchmark.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/picture_names.hpp"
#include "couplet/data/tar_reader.hpp"

namespace couplet::inline COUPLET_ABI::data {

class WebDataset final : public Dataset {
 public:
  /// Indexes the archive. file_error: see tar_reader.hpp; two pictures, texts or labels of one key.
  explicit WebDataset(std::string path) : tar_(std::move(path)) { group(); }

  [[nodiscard]] Index size() const override { return static_cast<Index>(groups_.size()); }
  /// Keys that have a caption or a label but no picture: they are not samples.
  [[nodiscard]] Index without_picture() const noexcept { return without_picture_; }

  [[nodiscard]] Sample sample(Index i) const override {
    Sample sample = annotation(i);
    const TarMember& picture = *member(groups_[static_cast<std::size_t>(i)].picture);
    sample.image_bytes = tar_.read(picture, max_picture_bytes);
    return sample;
  }

  [[nodiscard]] Sample annotation(Index i) const override {
    check_index(i);
    const Group& group = groups_[static_cast<std::size_t>(i)];
    Sample sample;
    sample.key = group.key;
    sample.source = tar_.path() + ": " + printable(member(group.picture)->name);
    if (const TarMember* text = member(group.text)) sample.captions = read_lines(*text);
    if (const TarMember* label = member(group.label)) sample.label = read_label(*label);
    return sample;
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Group {  // positions in tar_.members(), or none
    std::string key;
    std::size_t picture = none, text = none, label = none;
  };

  [[nodiscard]] const TarMember* member(std::size_t at) const { return at == none ? nullptr : &tar_.members()[at]; }

  /// The samples in the order in which their first members appear.
  void group() {
    std::unordered_map<std::string, std::size_t> positions;
    for (std::size_t m = 0; m < tar_.members().size(); ++m) {
      const std::string& name = tar_.members()[m].name;
      const std::size_t slash = name.rfind('/');
      const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
      const std::size_t dot = name.find('.', begin);
      if (dot == std::string::npos || dot == begin) continue;
      const std::string extension = lower_ascii(std::string_view(name).substr(dot + 1));
      std::size_t Group::*slot = is_picture_extension(extension) ? &Group::picture
                                 : extension == "txt"            ? &Group::text
                                 : extension == "cls"            ? &Group::label
                                                                 : nullptr;
      if (slot == nullptr) continue;
      const auto [at, added] = positions.try_emplace(name.substr(0, dot), groups_.size());
      if (added) groups_.push_back({at->first});
      std::size_t& place = groups_[at->second].*slot;
      if (place != none) {
        throw file_error(tar_.path(), "members '" + printable(tar_.members()[place].name) + "' and '" +
                                          printable(name) + "' have the same part in sample '" + printable(at->first) +
                                          "'");
      }
      place = m;
    }
    const auto count = static_cast<Index>(groups_.size());
    std::erase_if(groups_, [](const Group& group) { return group.picture == none; });
    without_picture_ = count - size();
  }

  /// The text of a member without the white space at its end.
  static std::string without_blank_end(std::string text) {
    text.resize(text.find_last_not_of(" \t\r\n") + 1);
    return text;
  }

  /// The lines that are not blank, without the blanks at their ends; one empty line where there is none.
  [[nodiscard]] std::vector<std::string> read_lines(const TarMember& member) const {
    const std::string text = tar_.read(member, max_caption_bytes);
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      std::string line = without_blank_end(text.substr(begin, end - begin));
      if (!line.empty()) lines.push_back(std::move(line));
      begin = end + 1;
    }
    if (lines.empty()) lines.emplace_back();
    return lines;
  }

  [[nodiscard]] std::int64_t read_label(const TarMember& member) const {
    const std::string text = without_blank_end(tar_.read(member, max_caption_bytes));
    std::int64_t label = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
    if (error != std::errc() || end != text.data() + text.size() || label < 0) {
      throw file_error(tar_.path(), "member '" + printable(member.name) + "': expected the index of a class, found '" +
                                        printable(text) + "'");
    }
    return label;
  }

  TarReader tar_;
  std::vector<Group> groups_;
  Index without_picture_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::data
