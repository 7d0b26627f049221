#pragma once
/// Pictures without words: the files of a folder or a list of files, for embedding and search.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/picture_names.hpp"
#include "couplet/io/file.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// Keys and paths of the pictures (.png, .jpg, .jpeg) in `folder` and all folders in it, as "sub/a.png", in byte order
/// of these names. Links to files are followed, links to folders are not. file_error: a folder cannot be read.
inline std::vector<std::string> list_pictures(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> names;
  fs::recursive_directory_iterator entry(folder, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    const std::string path = entry->path().string();
    if (!is_picture_extension(extension_of(path)) || !entry->is_regular_file(ignored)) continue;
    names.push_back(entry->path().lexically_relative(folder).generic_string());
  }
  if (error) throw file_error(folder, "cannot list this folder and those in it: " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

class ImageFiles final : public Dataset {
 public:
  /// The given files, in this order; keys are the paths as given.
  explicit ImageFiles(std::vector<std::string> paths) : names_(std::move(paths)) {}
  /// The pictures of a folder; keys are relative to it.
  static std::unique_ptr<ImageFiles> in_folder(const std::string& folder) {
    auto files = std::make_unique<ImageFiles>(list_pictures(folder));
    files->prefix_ = folder.empty() || folder.back() == '/' ? folder : folder + "/";
    return files;
  }

  [[nodiscard]] Index size() const override { return static_cast<Index>(names_.size()); }
  [[nodiscard]] Sample sample(Index i) const override {
    Sample sample = annotation(i);
    sample.image_bytes = io::read_file(sample.source, max_picture_bytes);
    return sample;
  }
  [[nodiscard]] Sample annotation(Index i) const override {
    check_index(i);
    Sample sample;
    sample.key = names_[static_cast<std::size_t>(i)];
    sample.source = prefix_ + sample.key;
    return sample;
  }

 private:
  std::vector<std::string> names_;
  std::string prefix_;
};

}  // namespace couplet::inline COUPLET_ABI::data
