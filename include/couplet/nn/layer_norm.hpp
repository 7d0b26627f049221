#pragma once
/// LayerNorm over the last axis, as torch.nn.LayerNorm.
#include <algorithm>

#include "couplet/nn/parameter.hpp"
#include "couplet/ops/layer_norm.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class LayerNorm {
 public:
  /// The statistics of every row of the batch; the rows themselves belong to whoever calls.
  struct Saved {
    Tensor<T, 1> mean, rstd;  // (R)
    void resize(Index rows) {
      mean.resize({rows});
      rstd.resize({rows});
    }
  };

  LayerNorm() = default;
  LayerNorm(Index width, double epsilon) : weight(Shape{width}), bias(Shape{width}), eps(static_cast<T>(epsilon)) {
    std::fill_n(weight.value.data(), width, T(1));
  }

  /// x, y: (R, C), rows [first_row, first_row + R) of the batch whose statistics `saved` collects.
  void forward(TensorView<const T, 2> x, const ops::Operand<T>& y, Saved* saved = nullptr, Index first_row = 0) const {
    const Index end_row = first_row + x.extent(0);
    TensorView<T, 1> mean, rstd;
    if (saved != nullptr) {
      mean = saved->mean.view().slice(first_row, end_row);
      rstd = saved->rstd.view().slice(first_row, end_row);
    }
    ops::layer_norm_forward<T>(x, weight.vector(), bias.vector(), eps, y, mean, rstd);
  }

  /// dy: (R, C)   x: (R, C), the input of forward()   dx: (R, C), assigned, or added to when it is the residual stream.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, const Saved& saved, TensorView<T, 2> dx,
                bool accumulate_dx) {
    ops::layer_norm_backward<T>(dy, x, std::as_const(weight).vector(), saved.mean, saved.rstd, dx, accumulate_dx,
                                weight.trainable ? weight.grad_vector() : TensorView<T, 1>{},
                                bias.trainable ? bias.grad_vector() : TensorView<T, 1>{});
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("weight", weight);
    f("bias", bias);
  }

  Parameter<T> weight, bias;  ///< (C)
  T eps = T(1e-5);
};

}  // namespace couplet::inline COUPLET_ABI::nn
