#pragma once
/// A trainable tensor and its gradient.
#include <algorithm>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI {

/// Parameter gradients accumulate (+=). `grad` is allocated only for training, and only when `trainable`.
template <class T>
struct Parameter {
  Parameter() = default;
  explicit Parameter(const Shape& of_shape) { reshape(of_shape); }

  /// Zeros of another shape; the gradient is dropped.
  void reshape(const Shape& new_shape) {
    shape = new_shape;
    value.release();  // new memory is zero
    value.resize(shape.size());
    grad.release();
  }
  [[nodiscard]] Index size() const { return value.size(); }

  /// As a matrix (shape[0], everything else); a vector or a scalar is one row.
  [[nodiscard]] TensorView<const T, 2> matrix() const { return {value.data(), matrix_extents()}; }
  [[nodiscard]] TensorView<T, 2> matrix() { return {value.data(), matrix_extents()}; }
  [[nodiscard]] TensorView<T, 2> grad_matrix() { return {grad.data(), matrix_extents()}; }
  /// All elements, one after the other.
  [[nodiscard]] TensorView<const T, 1> vector() const { return {value.data(), {size()}}; }
  [[nodiscard]] TensorView<T, 1> vector() { return {value.data(), {size()}}; }
  [[nodiscard]] TensorView<T, 1> grad_vector() { return {grad.data(), {grad.size()}}; }

  [[nodiscard]] bool has_grad() const { return grad.size() == value.size(); }
  /// Makes the gradient exist (if trainable) and zero.
  void zero_grad() {
    if (!trainable) return;
    grad.resize(value.size());
    std::fill_n(grad.data(), grad.size(), T(0));
  }

  Shape shape;
  AlignedBuffer<T> value;
  AlignedBuffer<T> grad;
  bool trainable = true;

 private:
  [[nodiscard]] Extents<2> matrix_extents() const {
    if (shape.rank() < 2) return {1, value.size()};
    return {shape[0], shape[0] == 0 ? 0 : value.size() / shape[0]};
  }
};

}  // namespace couplet::inline COUPLET_ABI
