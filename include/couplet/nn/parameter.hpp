#pragma once
/// A trainable tensor and its gradient.
#include <algorithm>
#include <utility>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI {

/// The elements of a parameter. A weight of which only the packed form is kept (nn::Packing::only) has a size and no
/// elements: whoever asks for them gets a std::invalid_argument that says how to load the model otherwise.
template <class T>
class ParameterValues {
 public:
  [[nodiscard]] Index size() const { return buffer_.size() + dropped_; }
  [[nodiscard]] bool dropped() const { return dropped_ > 0; }
  void require_kept() const {
    if (!dropped()) return;
    fail("parameter",
         "the model was prepared with nn::Packing::only, which keeps weights in packed form alone, for inference; load "
         "it with nn::Packing::kept, or with nn::Packing::at_use to train, convert or save it");
  }
  [[nodiscard]] T* data() { return require_kept(), buffer_.data(); }
  [[nodiscard]] const T* data() const { return require_kept(), buffer_.data(); }

  /// As AlignedBuffer's; values that were dropped are zero afterwards.
  void resize(Index size) {
    dropped_ = 0;
    buffer_.resize(size);
  }
  void release() noexcept {
    dropped_ = 0;
    buffer_.release();
  }
  /// Gives the memory back; the size stays.
  void drop() noexcept {
    dropped_ = size();
    buffer_.release();
  }

 private:
  AlignedBuffer<T> buffer_;
  Index dropped_ = 0;
};

template <class T>
struct Parameter;

/// Where the values of parameters wait while a model is loaded.
template <class T>
class ParameterSource {
 public:
  /// The elements [first, first + count) of the parameter, valid until the next call.
  virtual const T* read(const Parameter<T>& parameter, Index first, Index count) = 0;

 protected:
  ~ParameterSource() = default;
};

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
  [[nodiscard]] TensorView<T, 2> grad_matrix() {
    value.require_kept();
    return {grad.data(), matrix_extents()};
  }
  /// The matrix for who packs it: in memory, or read now from where it waits.
  [[nodiscard]] TensorView<const T, 2> matrix_to_pack() {
    if (source == nullptr) return std::as_const(*this).matrix();
    return {std::exchange(source, nullptr)->read(*this, 0, size()), matrix_extents()};
  }
  /// Some of the elements; others may be asked for afterwards.
  [[nodiscard]] const T* part_to_pack(Index first, Index count) {
    return source != nullptr ? source->read(*this, first, count) : value.data() + first;
  }
  /// All elements, one after the other.
  [[nodiscard]] TensorView<const T, 1> vector() const { return {value.data(), {size()}}; }
  [[nodiscard]] TensorView<T, 1> vector() { return {value.data(), {size()}}; }
  [[nodiscard]] TensorView<T, 1> grad_vector() { return {grad.data(), {grad.size()}}; }

  [[nodiscard]] bool has_grad() const { return grad.size() == value.size(); }
  /// Makes the gradient exist (if trainable) and zero.
  void zero_grad() {
    if (!trainable) return;
    value.require_kept();
    grad.resize(value.size());
    std::fill_n(grad.data(), grad.size(), T(0));
  }

  /// Nothing but the shape stays, for a weight whose packed form is enough.
  void drop() {
    value.drop();
    grad.release();
    source = nullptr;
  }

  Shape shape;
  ParameterValues<T> value;
  AlignedBuffer<T> grad;
  bool trainable = true;
  ParameterSource<T>* source = nullptr;  ///< only while it is loaded, and only until its layer has packed it

 private:
  [[nodiscard]] Extents<2> matrix_extents() const {
    if (shape.rank() < 2) return {1, value.size()};
    return {shape[0], shape[0] == 0 ? 0 : value.size() / shape[0]};
  }
};

}  // namespace couplet::inline COUPLET_ABI
