#pragma once
/// Whole files in one call: read with a limit, written atomically.
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "couplet/core/error.hpp"
#include "couplet/io/atomic_file.hpp"
#include "couplet/io/input_file.hpp"

namespace couplet::inline COUPLET_ABI::io {

/// The bytes of a regular file of at most `max_bytes`. The size is checked before anything is allocated.
/// file_error: missing, not a regular file, too large, cut short while it is read.
inline std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes) {
    throw file_error(path,
                     "expected at most " + std::to_string(max_bytes) + " bytes, found " + std::to_string(file.size()));
  }
  std::string bytes;
  try {
    bytes.resize(static_cast<std::size_t>(file.size()));
  } catch (const std::exception&) {  // std::bad_alloc, std::length_error
    throw file_error(path, "out of memory for its " + std::to_string(file.size()) + " bytes");
  }
  file.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

/// Replaces (or creates) `path` with `bytes`, atomically: see io/atomic_file.hpp.
inline void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace couplet::inline COUPLET_ABI::io
