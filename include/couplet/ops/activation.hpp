#pragma once
/// Activation functions, element by element, and their derivatives.
///   gelu        x Phi(x),                  Phi(x) = (1 + erf(x / sqrt 2)) / 2
///   gelu_tanh   x (1 + tanh u) / 2,        u = sqrt(2 / pi) (x + 0.044715 x^3)
///   quick_gelu  x sigmoid(1.702 x)
///   silu        x sigmoid(x)
///   relu        max(x, 0);                 its derivative at 0 is 0, so that it can be read off y as well as off x
/// Hendrycks and Gimpel, "Gaussian error linear units", arXiv:1606.08415; quick_gelu is the one OpenAI's CLIP trained.
#include <cmath>

#include "couplet/core/tensor.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/activation.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

/// f(x)
template <class T>
T activation(Activation kind, T x) {
  switch (kind) {
    case Activation::gelu:
      return x * (1 + std::erf(x * T(0.70710678118654752440L))) / 2;
    case Activation::gelu_tanh:
      return x * (1 + std::tanh(T(0.79788456080286535588L) * (x + T(0.044715L) * x * x * x))) / 2;
    case Activation::quick_gelu:
      return x / (1 + std::exp(T(-1.702L) * x));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::relu:
      return x < T(0) ? T(0) : x;
    case Activation::identity:
      break;
  }
  return x;
}

/// f'(x):  gelu Phi(x) + x phi(x);   gelu_tanh (1 + t) / 2 + x (1 - t^2) u' / 2;   quick_gelu s + 1.702 x s (1 - s);
/// silu s + x s (1 - s)
template <class T>
T activation_derivative(Activation kind, T x) {
  switch (kind) {
    case Activation::gelu: {
      const T normal_density = T(0.39894228040143267794L) * std::exp(-x * x / 2);
      return (1 + std::erf(x * T(0.70710678118654752440L))) / 2 + x * normal_density;
    }
    case Activation::gelu_tanh: {
      const T root = T(0.79788456080286535588L);
      const T t = std::tanh(root * (x + T(0.044715L) * x * x * x));
      return (1 + t) / 2 + x * (1 - t * t) * root * (1 + T(3 * 0.044715L) * x * x) / 2;
    }
    case Activation::quick_gelu: {
      const T s = 1 / (1 + std::exp(T(-1.702L) * x));
      return s + T(1.702L) * x * s * (1 - s);
    }
    case Activation::silu: {
      const T s = 1 / (1 + std::exp(-x));
      return s + x * s * (1 - s);
    }
    case Activation::relu:
      return x > T(0) ? T(1) : T(0);
    case Activation::identity:
      break;
  }
  return T(1);
}

template <class T>
void activation_forward_row(Activation kind, const T* x, Index n, T* y) {
  if constexpr (std::is_same_v<T, float>) {
    simd::activation_kernels().forward(kind, x, n, y);
  } else {
    for (Index i = 0; i < n; ++i) y[i] = activation(kind, x[i]);
  }
}

template <class T>
void activation_backward_row(Activation kind, const T* x, const T* dy, Index n, T* dx) {
  if constexpr (std::is_same_v<T, float>) {
    simd::activation_kernels().backward(kind, x, dy, n, dx);
  } else {
    for (Index i = 0; i < n; ++i) dx[i] = dy[i] * activation_derivative(kind, x[i]);
  }
}

}  // namespace detail

/// y = f(x).   x, y: (R, C); y may be x.
template <class T>
void activation_forward(Activation kind, TensorView<const T, 2> x, TensorView<T, 2> y) {
  require_equal_shapes("activation", "x", x, "y", y);
  const Index columns = x.extent(1);
  parallel_row_blocks(x.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      detail::activation_forward_row(kind, x[r].data(), columns, y[r].data());
    }
  });
}

/// dx = dy f'(x), assigned.   x, dy, dx: (R, C); dx may be dy.
template <class T>
void activation_backward(Activation kind, TensorView<const T, 2> x, TensorView<const T, 2> dy, TensorView<T, 2> dx) {
  require_equal_shapes("activation backward", "x", x, "dy", dy);
  require_equal_shapes("activation backward", "x", x, "dx", dx);
  const Index columns = x.extent(1);
  parallel_row_blocks(x.extent(0), columns, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      detail::activation_backward_row(kind, x[r].data(), dy[r].data(), columns, dx[r].data());
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
