#pragma once
/// The reference models of the golden data: a directory as users have it, with inputs and expected outputs beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "couplet/checkpoint/name_map.hpp"
#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/core/tensor.hpp"
#include "support/shared_directory.hpp"

namespace couplet::test {

/// One file of expected tensors, read as T.
template <class T>
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& path) : file_(path) {}

  [[nodiscard]] bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  [[nodiscard]] const std::vector<checkpoint::TensorInfo>& tensors() const { return file_.tensors(); }

  template <class U, std::size_t Rank>
  [[nodiscard]] Tensor<U, Rank> read(const std::string& name) const {
    const checkpoint::TensorInfo* info = file_.find(name);
    if (info == nullptr) throw file_error(file_.path(), "no tensor " + name);
    if (info->shape.size() > Rank) throw file_error(file_.path(), name + " has another rank");
    Extents<Rank> extents{};
    for (std::size_t i = 0; i < Rank; ++i) extents[i] = i < info->shape.size() ? info->shape[i] : 1;
    Tensor<U, Rank> tensor(extents);
    file_.read(*info, tensor.data(), info->count());
    return tensor;
  }
  [[nodiscard]] Tensor<T, 2> matrix(const std::string& name) const { return read<T, 2>(name); }
  [[nodiscard]] double number(const std::string& name) const { return read<double, 1>(name)(0); }
  /// All elements in order, whatever the shape.
  [[nodiscard]] std::vector<T> flat(const std::string& name) const { return file_.read<T>(*file_.find(name)); }
  /// The values of one parameter of couplet, put together from the tensors of a layout under `prefix`.
  [[nodiscard]] std::vector<T> parameter(const std::string& prefix, std::string_view name,
                                         const checkpoint::NameMap& names) const {
    std::vector<T> all;
    for (const checkpoint::FileTensor& tensor : names.tensors_of(name)) {
      std::vector<T> part = flat(prefix + tensor.name);
      const auto& shape = file_.find(prefix + tensor.name)->shape;
      if (tensor.form == checkpoint::Form::transposed) transpose(part.data(), shape[0], shape[1]);
      if (tensor.form == checkpoint::Form::patch_rows) {  // the three channels of a pixel are neighbours there
        for (std::int64_t row = 0; row < shape[0]; ++row) transpose(part.data() + row * shape[1], shape[1] / 3, 3);
      }
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

 private:
  /// (rows, columns) becomes (columns, rows)
  static void transpose(T* matrix, std::int64_t rows, std::int64_t columns) {
    const std::vector<T> from(matrix, matrix + rows * columns);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) matrix[c * rows + r] = from[static_cast<std::size_t>(r * columns + c)];
    }
  }

  checkpoint::SafetensorsFile file_;
};

/// The largest error relative to the tensor's largest component; absolute where the exact value is 0 (key biases).
template <class Buffer, class T>
double golden_error(const Buffer& actual, const std::vector<T>& expected) {
  double error = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error = std::max(error, std::abs(static_cast<double>(actual.data()[i]) - static_cast<double>(expected[i])));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return largest > 1e-6 ? error / largest : error;
}

}  // namespace couplet::test
