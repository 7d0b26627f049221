#pragma once
/// Layer normalization over the last axis.
///   n = (x - mean) rstd,   y = weight n + bias,   rstd = 1 / sqrt(variance + eps)
/// Mean and variance (divided by C, two passes) are those of one row. Ba, Kiros, Hinton, arXiv:1607.06450.
#include <cmath>

#include "couplet/core/tensor.hpp"
#include "couplet/ops/operand.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/layer_norm.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

template <class T>
void layer_norm_forward_row(const T* x, const T* weight, const T* bias, T eps, Index columns, T* y, T& mean, T& rstd) {
  if constexpr (std::is_same_v<T, float>) {
    return simd::layer_norm_kernels().forward(x, weight, bias, eps, columns, y, &mean, &rstd);
  }
  T sum(0);
  for (Index c = 0; c < columns; ++c) sum += x[c];
  mean = sum / static_cast<T>(columns);
  T squares(0);
  for (Index c = 0; c < columns; ++c) squares += (x[c] - mean) * (x[c] - mean);
  rstd = 1 / std::sqrt(squares / static_cast<T>(columns) + eps);
  for (Index c = 0; c < columns; ++c) y[c] = weight[c] * ((x[c] - mean) * rstd) + bias[c];
}

/// With dn = weight dy:  dx = rstd (dn - mean_c(dn) - n mean_c(dn n))
template <class T>
void layer_norm_backward_row(const T* dy, const T* x, const T* weight, T mean, T rstd, Index columns, bool accumulate,
                             T* dx) {
  if constexpr (std::is_same_v<T, float>) {
    return simd::layer_norm_kernels().backward(dy, x, weight, mean, rstd, columns, accumulate, dx);
  }
  T sum(0);
  T sum_n(0);
  for (Index c = 0; c < columns; ++c) {
    const T dn = weight[c] * dy[c];
    sum += dn;
    sum_n += dn * (x[c] - mean) * rstd;
  }
  sum /= static_cast<T>(columns);
  sum_n /= static_cast<T>(columns);
  for (Index c = 0; c < columns; ++c) {
    const T n = (x[c] - mean) * rstd;
    const T gradient = rstd * (weight[c] * dy[c] - sum - n * sum_n);
    dx[c] = accumulate ? dx[c] + gradient : gradient;
  }
}

/// dweight += sum over rows of dy n,   dbias += sum over rows of dy,   for the columns [begin, end).
template <class T>
void layer_norm_backward_parameters(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<const T, 1> mean,
                                    TensorView<const T, 1> rstd, Index begin, Index end, TensorView<T, 1> dweight,
                                    TensorView<T, 1> dbias) {
  if constexpr (std::is_same_v<T, float>) {
    return simd::layer_norm_kernels().backward_parameters(
        dy.data() + begin, dy.stride(0), x.data() + begin, x.stride(0), mean.data(), rstd.data(), x.extent(0),
        end - begin, dweight.empty() ? nullptr : dweight.data() + begin,
        dbias.empty() ? nullptr : dbias.data() + begin);
  }
  for (Index first = 0; first < x.extent(0); first += rows_per_sum) {
    const Index last = std::min(x.extent(0), first + rows_per_sum);
    for (Index c = begin; c < end; ++c) {
      T weight_sum(0);
      T bias_sum(0);
      for (Index r = first; r < last; ++r) {
        weight_sum += dy(r, c) * ((x(r, c) - mean[r]) * rstd[r]);
        bias_sum += dy(r, c);
      }
      if (!dweight.empty()) dweight[c] += weight_sum;
      if (!dbias.empty()) dbias[c] += bias_sum;
    }
  }
}

}  // namespace detail

/// x, y: (R, C)   weight, bias: (C)   mean, rstd: (R), saved for the backward pass; empty views when there is none.
template <class T>
void layer_norm_forward(TensorView<const T, 2> x, TensorView<const T, 1> weight, TensorView<const T, 1> bias, T eps,
                        const Operand<T>& y, TensorView<T, 1> mean, TensorView<T, 1> rstd) {
  const Index rows = x.extent(0);
  const Index columns = x.extent(1);
  if (weight.extent(0) != columns || bias.extent(0) != columns || y.rows() != rows || y.columns() != columns) {
    fail("layer_norm", "shapes do not fit: " + shapes_text("x", x, "weight", weight, "bias", bias) + ", y " +
                           to_string(Shape{y.rows(), y.columns()}));
  }
  if ((!mean.empty() && mean.extent(0) != rows) || (!rstd.empty() && rstd.extent(0) != rows)) {
    fail("layer_norm", "one mean and rstd per row: " + shapes_text("x", x, "mean", mean, "rstd", rstd));
  }
  parallel_row_blocks(rows, columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T row_mean(0);
      T row_rstd(0);
      y.write_row(r, [&](T* row) {
        detail::layer_norm_forward_row(x[r].data(), weight.data(), bias.data(), eps, columns, row, row_mean, row_rstd);
      });
      if (!mean.empty()) mean[r] = row_mean;
      if (!rstd.empty()) rstd[r] = row_rstd;
    }
  });
}

/// dy, x, dx: (R, C)   weight, dweight, dbias: (C)   mean, rstd: (R)
/// dx is assigned, or added to what it holds when accumulate_dx (the residual stream); dx may be dy unless a parameter
/// gradient is wanted. dweight and dbias accumulate; empty views when the parameters are frozen.
template <class T>
void layer_norm_backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, TensorView<const T, 1> weight,
                         TensorView<const T, 1> mean, TensorView<const T, 1> rstd, TensorView<T, 2> dx,
                         bool accumulate_dx, TensorView<T, 1> dweight, TensorView<T, 1> dbias) {
  const Index rows = x.extent(0);
  const Index columns = x.extent(1);
  if (dy.extents() != x.extents() || dx.extents() != x.extents() || weight.extent(0) != columns) {
    fail("layer_norm backward", "shapes do not fit: " + shapes_text("dy", dy, "x", x, "weight", weight, "dx", dx));
  }
  if (mean.extent(0) != rows || rstd.extent(0) != rows) {
    fail("layer_norm backward", "one mean and rstd per row: " + shapes_text("x", x, "mean", mean, "rstd", rstd));
  }
  if ((!dweight.empty() && dweight.extent(0) != columns) || (!dbias.empty() && dbias.extent(0) != columns)) {
    fail("layer_norm backward", "shapes do not fit: " + shapes_text("x", x, "dweight", dweight, "dbias", dbias));
  }
  if (!dweight.empty() || !dbias.empty()) {
    parallel_column_blocks(rows, columns, [&](Index begin, Index end) {
      detail::layer_norm_backward_parameters(dy, x, mean, rstd, begin, end, dweight, dbias);
    });
  }
  parallel_row_blocks(rows, columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      detail::layer_norm_backward_row(dy[r].data(), x[r].data(), weight.data(), mean[r], rstd[r], columns,
                                      accumulate_dx, dx[r].data());
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
