#pragma once
/// What the contrastive losses do with a tile of similarities: log-sum-exp statistics and gradients.
///
/// S (m, n) is a tile of x_i . y_j; its logits are l = scale S + bias. The functions do not know the diagonal: the
/// losses mask the similarities of true pairs before (to logits whose exponential is nothing) and treat the pairs in
/// double, so that a batch that is already well separated keeps its small loss and gradient to full precision.
/// These are the references; float runs the kernels of simd/contrastive.hpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "couplet/core/tensor.hpp"
#include "couplet/simd/contrastive.hpp"

namespace couplet::inline COUPLET_ABI::losses::detail {

/// maximum[r] = max over c of l, sum[r] = sum over c of exp(l - maximum[r]); l = scale S.   maximum, sum: (m), assigned
template <class T>
void row_statistics(TensorView<const T, 2> s, T scale, T* maximum, T* sum) {
  const Index rows = s.extent(0);
  std::fill_n(maximum, rows, std::numeric_limits<T>::lowest());
  std::fill_n(sum, rows, T(0));
  if constexpr (std::is_same_v<T, float>) {
    simd::contrastive_kernels().row_statistics(s.data(), s.stride(0), rows, s.extent(1), scale, maximum, sum);
  } else {
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < s.extent(1); ++c) maximum[r] = std::max(maximum[r], scale * s(r, c));
      for (Index c = 0; c < s.extent(1); ++c) sum[r] += std::exp(scale * s(r, c) - maximum[r]);
    }
  }
}

/// The same along the columns.   maximum, sum: (n), assigned
template <class T>
void column_statistics(TensorView<const T, 2> s, T scale, T* maximum, T* sum) {
  const Index columns = s.extent(1);
  std::fill_n(maximum, columns, std::numeric_limits<T>::lowest());
  std::fill_n(sum, columns, T(0));
  if constexpr (std::is_same_v<T, float>) {
    simd::contrastive_kernels().column_statistics(s.data(), s.stride(0), s.extent(0), columns, scale, maximum, sum);
  } else {
    for (Index c = 0; c < columns; ++c) {
      for (Index r = 0; r < s.extent(0); ++r) maximum[c] = std::max(maximum[c], scale * s(r, c));
      for (Index r = 0; r < s.extent(0); ++r) sum[c] += std::exp(scale * s(r, c) - maximum[c]);
    }
  }
}

/// Softmax along the rows or the columns: probability = weight exp(l - maximum), with the loss's factor in the weight.
template <class T>
struct SoftmaxFactors {
  const T* maximum;
  const T* weight;
};

/// S becomes G = row.weight exp(l - row.maximum) + column.weight exp(l - column.maximum). Returns the sum of G S.
template <class T>
double info_nce_gradient(TensorView<T, 2> s, T scale, SoftmaxFactors<T> row, SoftmaxFactors<T> column) {
  const Index rows = s.extent(0);
  const Index columns = s.extent(1);
  if constexpr (std::is_same_v<T, float>) {
    return simd::contrastive_kernels().info_nce_gradient(s.data(), s.stride(0), rows, columns, scale, row.maximum,
                                                         row.weight, column.maximum, column.weight, 0.0F, columns);
  } else {
    double total = 0;
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) {
        const T l = scale * s(r, c);
        const T gradient =
            row.weight[r] * std::exp(l - row.maximum[r]) + column.weight[c] * std::exp(l - column.maximum[c]);
        total += static_cast<double>(gradient * s(r, c));
        s(r, c) = gradient;
      }
    }
    return total;
  }
}

/// log(1 + exp(l)) without overflow.
template <class T>
T softplus(T l) {
  return std::max(l, T(0)) + std::log1p(std::exp(-std::abs(l)));
}

/// 1 / (1 + exp(-l)) without overflow.
template <class T>
T sigmoid(T l) {
  const T e = std::exp(-std::abs(l));
  return (l < 0 ? e : T(1)) / (1 + e);
}

/// S becomes G = weight sigmoid(l). Returns the sums of softplus(l), G S and G.
template <class T>
simd::SigmoidSums sigmoid_gradient(TensorView<T, 2> s, T scale, T bias, T weight) {
  const Index columns = s.extent(1);
  if constexpr (std::is_same_v<T, float>) {
    return simd::contrastive_kernels().sigmoid_gradient(s.data(), s.stride(0), s.extent(0), columns, scale, bias,
                                                        weight, columns);
  } else {
    simd::SigmoidSums total;
    for (Index r = 0; r < s.extent(0); ++r) {
      for (Index c = 0; c < columns; ++c) {
        const T l = scale * s(r, c) + bias;
        const T gradient = weight * sigmoid(l);
        total.loss += static_cast<double>(softplus(l));
        total.gradient_s += static_cast<double>(gradient * s(r, c));
        total.gradient += static_cast<double>(gradient);
        s(r, c) = gradient;
      }
    }
    return total;
  }
}

}  // namespace couplet::inline COUPLET_ABI::losses::detail
