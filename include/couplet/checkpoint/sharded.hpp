#pragma once
/// A checkpoint in one safetensors file or in several with an index, behind one face.
///
/// The index `<base>.safetensors.index.json` holds {"weight_map": {"tensor": "model-00001-of-00002.safetensors", ...}}.
/// It came from somewhere, so a file name in it must be a plain name of this folder, and index and files must agree on
/// every tensor.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "couplet/checkpoint/convert.hpp"
#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/core/error.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json_field.hpp"
#include "couplet/io/key_index.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

class Checkpoint {
 public:
  /// One file.
  explicit Checkpoint(SafetensorsFile file) {
    files_.push_back(std::move(file));
    collect();
  }
  /// A folder's index and the files it names.
  static Checkpoint from_index(const std::string& directory, const std::string& index_name,
                               const SafetensorsLimits& limits = {});

  /// All tensors; `shard` says in which of files() each one is.
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  [[nodiscard]] const std::vector<SafetensorsFile>& files() const noexcept { return files_; }
  /// The tensor of that name, or nullptr.
  [[nodiscard]] const TensorInfo* find(std::string_view name) const {
    const auto at = index_.find(name, [this](std::size_t i) -> std::string_view { return tensors_[i].name; });
    return at ? &tensors_[*at] : nullptr;
  }
  /// The metadata of the first file.
  [[nodiscard]] const Metadata& metadata() const { return files_.front().metadata(); }
  /// The file that holds a tensor of this checkpoint, for errors.
  [[nodiscard]] const std::string& path_of(const TensorInfo& tensor) const { return file_of(tensor).path(); }
  /// Bytes of all tensors together.
  [[nodiscard]] std::uint64_t data_bytes() const {
    std::uint64_t bytes = 0;
    for (const SafetensorsFile& file : files_) bytes += file.data_bytes();
    return bytes;
  }

  /// As SafetensorsFile::read.
  template <Element T>
  void read(const TensorInfo& tensor, T* out, std::size_t count) const {
    file_of(tensor).read(tensor, out, count);
  }
  template <Element T>
  void read_part(const TensorInfo& tensor, std::size_t first, T* out, std::size_t count) const {
    file_of(tensor).read_part(tensor, first, out, count);
  }
  template <Element T>
  [[nodiscard]] std::vector<T> read(const TensorInfo& tensor) const {
    return file_of(tensor).template read<T>(tensor);
  }
  void read_bytes(const TensorInfo& tensor, void* out, std::size_t bytes) const {
    file_of(tensor).read_bytes(tensor, out, bytes);
  }

 private:
  Checkpoint() = default;

  [[nodiscard]] const SafetensorsFile& file_of(const TensorInfo& tensor) const {
    if (tensor.shard >= files_.size()) fail("Checkpoint", tensor_text(tensor.name) + " is not of this checkpoint");
    return files_[tensor.shard];
  }

  /// Lists the tensors of all files. file_error: a name in two files.
  void collect() {
    for (std::size_t shard = 0; shard < files_.size(); ++shard) {
      for (const TensorInfo& tensor : files_[shard].tensors()) tensors_.emplace_back(tensor).shard = shard;
    }
    const auto name = [this](std::size_t i) -> std::string_view { return tensors_[i].name; };
    index_ = io::KeyIndex(tensors_.size(), name);
    if (const auto twice = index_.duplicate(name)) {
      throw file_error(path_of(tensors_[*twice]),
                       tensor_text(name(*twice)) + " is in another file of the checkpoint too");
    }
  }

  std::vector<SafetensorsFile> files_;
  std::vector<TensorInfo> tensors_;
  io::KeyIndex index_;
};

namespace detail {

inline constexpr std::size_t most_shards = 512;  // each one keeps a file open; systems allow 1024 and more

/// Throws unless `name` is 1 to 255 of A-Z a-z 0-9 . _ - with no leading dot and no "..".
inline void require_plain_name(const io::JsonField& field, const std::string& index_name) {
  const std::string name = field.string();
  const bool plain = !name.empty() && name.size() <= 255 && name[0] != '.' && name.find("..") == std::string::npos &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                              c == '_' || c == '-';
                     });
  if (!plain) field.fail("expected the plain name of a file in the same folder, found \"" + printable(name) + "\"");
  if (name == index_name) field.fail("the index names itself");
}

/// The path to open for the plain name `name`. A link must stay inside the folder; one exception is the cache of
/// huggingface_hub, where <repo>/snapshots/<revision>/<name> links to <repo>/blobs/<hash>. Nothing is opened here.
inline std::string resolve_shard(const std::string& directory, const std::string& name, const std::string& index_path) {
  namespace fs = std::filesystem;
  const fs::path path = fs::path(directory) / name;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    throw file_error(index_path, "names the file \"" + name + "\", which cannot be found in its folder: " +
                                     std::generic_category().message(errno));
  }
  if (!S_ISLNK(status.st_mode)) return path.string();
  std::error_code error;
  const fs::path folder = fs::canonical(directory, error);
  const fs::path target = error ? fs::path() : fs::canonical(path, error);
  if (error) throw file_error(index_path, "names the link \"" + name + "\", which leads nowhere: " + error.message());
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), target.begin(), target.end());
  const bool inside = end == folder.end();
  const bool cached = folder.parent_path().filename() == "snapshots" &&
                      target.parent_path() == folder.parent_path().parent_path() / "blobs";
  if (!inside && !cached) {
    throw file_error(index_path, "names the link \"" + name + "\", which leaves its folder to \"" +
                                     printable(target.string()) + "\"");
  }
  return target.string();
}

/// Throws unless every tensor of the index is in the file that it names, and every tensor of the files in the index.
/// `names[shard]` is the name of that file, as weight_map gives it.
inline void require_agreement(const Checkpoint& checkpoint, const io::Json& weight_map,
                              const std::vector<std::string>& names, const std::string& index_path) {
  for (const auto& [tensor, file] : weight_map.members()) {
    const TensorInfo* found = checkpoint.find(tensor);
    if (found == nullptr || names[found->shard] != file.as_string()) {
      throw file_error(index_path, tensor_text(tensor) + ": expected in \"" + file.as_string() + "\", found " +
                                       (found == nullptr ? "nowhere" : "in \"" + names[found->shard] + "\""));
    }
  }
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    if (weight_map.find(tensor.name) == nullptr) {
      throw file_error(index_path,
                       tensor_text(tensor.name) + " is in \"" + names[tensor.shard] + "\", but not in weight_map");
    }
  }
}

/// The different file names of weight_map, sorted; all of them judged.
inline std::vector<std::string> shard_names(const io::JsonField& weight_map, const std::string& index_name) {
  std::vector<std::string> names;
  for (const auto& [tensor, file] : weight_map.value().members()) {
    if (file.is_string() && !names.empty() && names.back() == file.as_string()) continue;
    require_plain_name(weight_map.at(tensor), index_name);
    names.push_back(file.as_string());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.empty()) weight_map.fail("expected at least one tensor");
  if (names.size() > most_shards) {
    weight_map.fail("expected at most " + std::to_string(most_shards) + " files, found " +
                    std::to_string(names.size()));
  }
  return names;
}

}  // namespace detail

inline Checkpoint Checkpoint::from_index(const std::string& directory, const std::string& index_name,
                                         const SafetensorsLimits& limits) {
  const std::string path = (std::filesystem::path(directory) / index_name).string();
  const io::JsonField index(io::Json::parse(io::read_file(path, limits.header_bytes), path), path);
  const io::JsonField map = index.at("weight_map");
  if (!map.value().is_object()) map.fail("expected an object, found " + map.value().describe());
  if (map.value().members().size() > limits.tensors)
    map.fail("more than " + std::to_string(limits.tensors) + " tensors");

  // Every name is judged before the first file is opened.
  const std::vector<std::string> names = detail::shard_names(map, index_name);
  std::vector<std::string> paths;
  for (const std::string& name : names) paths.push_back(detail::resolve_shard(directory, name, path));

  Checkpoint checkpoint;
  for (const std::string& shard : paths) checkpoint.files_.emplace_back(shard, limits);
  checkpoint.collect();
  detail::require_agreement(checkpoint, map.value(), names, path);
  return checkpoint;
}

/// Opens `<directory>/<base>.safetensors` or else `<directory>/<base>.safetensors.index.json` and the files it names.
/// file_error: neither is there, or something in them is wrong.
inline Checkpoint open_checkpoint(const std::string& directory, const std::string& base = "model",
                                  const SafetensorsLimits& limits = {}) {
  namespace fs = std::filesystem;
  const std::string single = base + ".safetensors", index = base + ".safetensors.index.json";
  std::error_code ignored;
  if (fs::exists(fs::path(directory) / single, ignored)) {
    return Checkpoint(SafetensorsFile((fs::path(directory) / single).string(), limits));
  }
  if (fs::exists(fs::path(directory) / index, ignored)) return Checkpoint::from_index(directory, index, limits);
  throw file_error(directory, "found neither " + single + " nor " + index);
}

}  // namespace couplet::inline COUPLET_ABI::checkpoint
