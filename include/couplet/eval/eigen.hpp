#pragma once
/// Tensors as Eigen sees them, for linear algebra beyond products. Needs Eigen 3.4 (Debian package libeigen3-dev).
#if __has_include(<Eigen/Dense>)
#include <Eigen/Dense>
#elif __has_include(<eigen3/Eigen/Dense>)
#include <eigen3/Eigen/Dense>
#else
#error "couplet/eval/eigen.hpp needs Eigen 3.4: install libeigen3-dev or name its folder with -I"
#endif

#include <type_traits>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::eval {

template <class T>
using EigenMatrix = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using EigenVector = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>;

/// The memory of the view as a row-major Eigen matrix; rows may be strided. A view of const is read-only.
template <class T>
[[nodiscard]] auto as_eigen(TensorView<T, 2> view) {
  using Matrix = std::conditional_t<std::is_const_v<T>, const EigenMatrix<T>, EigenMatrix<T>>;
  return Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>(view.data(), view.extent(0), view.extent(1),
                                                                    Eigen::OuterStride<>(view.stride(0)));
}

/// The same for a vector, as a column.
template <class T>
[[nodiscard]] auto as_eigen(TensorView<T, 1> view) {
  using Vector = std::conditional_t<std::is_const_v<T>, const EigenVector<T>, EigenVector<T>>;
  return Eigen::Map<Vector>(view.data(), view.extent(0));
}

}  // namespace couplet::inline COUPLET_ABI::eval
