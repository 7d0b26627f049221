#pragma once
/// A list of pictures and captions: a TSV or CSV file with the columns `filepath` and `title`, open_clip's names, and
/// optionally `label` (the index of the class). Other columns are ignored; relative paths start at the list's folder.
/// Rows of one path are one picture with several captions.
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
#include "couplet/data/separated_values.hpp"
#include "couplet/io/file.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct ListOptions {
  std::string image_column = "filepath";
  std::string caption_column = "title";
  std::string label_column = "label";
  /// 0: a tab if the header line has one (open_clip's default, whatever the extension), otherwise a comma.
  char separator = 0;
};

class ImageTextList final : public Dataset {
 public:
  static constexpr std::uint64_t max_list_bytes = std::uint64_t{4} << 30;

  /// Reads the list; pictures are opened when they are asked for. file_error naming line and column: no image column,
  /// neither captions nor labels, a row with more or fewer fields than the header, a label that is no index, two labels
  /// of one picture.
  explicit ImageTextList(const std::string& path, const ListOptions& options = {}) {
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos) folder_ = path.substr(0, slash + 1);
    const std::string text = io::read_file(path, max_list_bytes);
    const std::string_view header = std::string_view(text).substr(0, text.find('\n'));
    const char separator = options.separator != 0                        ? options.separator
                           : header.find('\t') != std::string_view::npos ? '\t'
                                                                         : ',';
    SeparatedValues table(text, path, separator);
    read_rows(table, options);
  }

  [[nodiscard]] Index size() const override { return static_cast<Index>(rows_.size()); }
  [[nodiscard]] Sample sample(Index i) const override {
    Sample sample = annotation(i);
    sample.image_bytes = io::read_file(sample.source, max_picture_bytes);
    return sample;
  }
  [[nodiscard]] Sample annotation(Index i) const override {
    check_index(i);
    const Row& row = rows_[static_cast<std::size_t>(i)];
    Sample sample;
    sample.key = row.path;
    sample.source = row.path.front() == '/' ? row.path : folder_ + row.path;
    sample.captions = row.captions;
    sample.label = row.label;
    return sample;
  }

 private:
  struct Row {
    std::string path;
    std::vector<std::string> captions;
    std::optional<std::int64_t> label;
  };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  void read_rows(SeparatedValues& table, const ListOptions& options) {
    std::vector<std::string> fields;
    if (!table.next(fields)) table.fail("expected a header line with the column '" + options.image_column + "'");
    const std::size_t columns = fields.size();
    const std::size_t image = column(table, fields, options.image_column);
    const std::size_t caption = column(table, fields, options.caption_column);
    const std::size_t label = column(table, fields, options.label_column);
    if (image == none) table.fail("expected a column '" + options.image_column + "' (separated by tabs or commas)");
    if (caption == none && label == none) {
      table.fail("expected a column '" + options.caption_column + "' or '" + options.label_column + "'");
    }
    std::unordered_map<std::string, std::size_t> row_of;
    while (table.next(fields)) {
      if (fields.size() != columns) {
        table.fail("expected " + std::to_string(columns) + " fields, found " + std::to_string(fields.size()));
      }
      if (fields[image].empty()) table.fail("'" + options.image_column + "' is empty");
      const auto [found, is_new] = row_of.try_emplace(std::move(fields[image]), rows_.size());
      if (is_new) rows_.push_back({found->first, {}, {}});
      Row& row = rows_[found->second];
      if (caption != none) row.captions.push_back(std::move(fields[caption]));
      if (label != none) set_label(table, row, fields[label]);
    }
  }

  static void set_label(const SeparatedValues& table, Row& row, const std::string& text) {
    const std::optional<std::int64_t> label = parse_label(table, text);
    if (!label) return;
    if (row.label && row.label != label) {
      table.fail("'" + printable(row.path) + "' has the labels " + std::to_string(*row.label) + " and " + text);
    }
    row.label = label;
  }

  /// The column of that name or none; file_error: two of them.
  static std::size_t column(const SeparatedValues& table, const std::vector<std::string>& header,
                            const std::string& name) {
    std::size_t found = none;
    for (std::size_t c = 0; c < header.size(); ++c) {
      if (header[c] != name) continue;
      if (found != none) table.fail("two columns are called '" + printable(name) + "'");
      found = c;
    }
    return found;
  }

  static std::optional<std::int64_t> parse_label(const SeparatedValues& table, const std::string& text) {
    if (text.empty()) return std::nullopt;
    std::int64_t label = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
    if (error != std::errc() || end != text.data() + text.size() || label < 0) {
      table.fail("expected the index of a class, found '" + printable(text) + "'");
    }
    return label;
  }

  std::string folder_;
  std::vector<Row> rows_;
};

}  // namespace couplet::inline COUPLET_ABI::data
