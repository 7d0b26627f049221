#pragma once
/// Checkpoints of a few small tensors, for tests of what is read from names and shapes alone.
#include <string>
#include <utility>
#include <vector>

#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/checkpoint/sharded.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::test {

using NamedShapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

/// Writes directory/<base>.safetensors with tensors of zeros.
inline void write_zeros(const std::string& directory, const NamedShapes& tensors, const std::string& base = "model") {
  std::vector<checkpoint::TensorRecord> records;
  std::size_t largest = 1;
  for (const auto& [name, shape] : tensors) {
    std::size_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
    largest = std::max(largest, count);
  }
  const std::vector<float> zeros(largest);
  for (const auto& [name, shape] : tensors) {
    records.push_back(checkpoint::tensor_record(name, checkpoint::DType::f32, shape, zeros.data()));
  }
  checkpoint::save_safetensors(directory + "/" + base + ".safetensors", records, {});
}

/// The same, opened.
inline checkpoint::Checkpoint zeros(const TemporaryDirectory& folder, const NamedShapes& tensors) {
  write_zeros(folder.path(), tensors);
  return checkpoint::open_checkpoint(folder.path());
}

}  // namespace couplet::test
