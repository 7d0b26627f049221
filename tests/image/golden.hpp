#pragma once
/// The image part of the golden data: index, tensors and input files. Tests that need it are skipped without it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "couplet/image/image.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"

namespace couplet::test {

/// The folder golden/image, or "" where there is none.
inline std::string golden_images() {
  std::string root;
#if defined(COUPLET_SHARED_DIR)
  root = COUPLET_SHARED_DIR;
#endif
  if (const char* const named = std::getenv("COUPLET_SHARED")) root = named;
  if (root.empty() || !std::filesystem::exists(root + "/golden/image/index.json")) return "";
  return root + "/golden/image";
}

#define COUPLET_NEEDS_GOLDEN_IMAGES()         \
  if (couplet::test::golden_images().empty()) \
  GTEST_SKIP() << "no golden/image: set COUPLET_SHARED to the folder that holds golden/"

inline io::Json golden_json(const std::string& name) {
  const std::string path = golden_images() + "/" + name;
  return io::Json::parse(io::read_file(path, 1u << 28u), path);
}

/// Keys of a golden entry; the file is trusted.
inline std::string text(const io::Json& entry, const char* key) { return entry.find(key)->as_string(); }
inline int number(const io::Json& entry, const char* key) { return static_cast<int>(entry.find(key)->as_integer()); }
inline std::uint32_t crc(const io::Json& entry, const char* key) {
  return static_cast<std::uint32_t>(entry.find(key)->as_integer());
}
inline bool has(const io::Json& entry, const char* key) {
  const io::Json* value = entry.find(key);
  return value != nullptr && !value->is_null();
}

/// A safetensors file of the golden data, read without any check.
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& name) : bytes_(io::read_file(golden_images() + "/" + name, 1u << 28u)) {
    std::uint64_t header = 0;
    std::memcpy(&header, bytes_.data(), 8);
    const auto json = io::Json::parse(std::string_view(bytes_).substr(8, header), name);
    for (const auto& [key, entry] : json.members()) {
      if (key == "__metadata__") continue;
      const auto& offsets = entry.find("data_offsets")->items();
      const auto begin = static_cast<std::size_t>(offsets[0].as_integer());
      const auto end = static_cast<std::size_t>(offsets[1].as_integer());
      tensors_[key] = {8 + header + begin, end - begin};
    }
  }
  /// The bytes of a tensor; empty if there is none of this name.
  [[nodiscard]] std::span<const std::uint8_t> bytes(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return {};
    return {reinterpret_cast<const std::uint8_t*>(bytes_.data()) + found->second.first, found->second.second};
  }

 private:
  std::string bytes_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> tensors_;
};

inline bool equal(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

inline std::span<const std::uint8_t> bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}

/// Pseudo-random bytes, the same everywhere.
inline std::vector<std::uint8_t> noise(std::size_t count, std::uint32_t seed) {
  std::vector<std::uint8_t> out(count);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return out;
}

/// A random image without alpha.
inline image::Image noise_image(int height, int width, std::uint32_t seed) {
  return {width, height, noise(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3, seed)};
}

/// An image with flat areas, ramps and a little noise, as photographs have.
inline image::Image smooth_image(int height, int width) {
  image::Image out = noise_image(height, width, 7);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        std::uint8_t& value = out.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)];
        value = static_cast<std::uint8_t>((x * (c + 1) * 3 + y * 5) / 4 % 200 + (x / 9 % 2) * 40 + value % 5);
      }
  return out;
}

}  // namespace couplet::test
