#pragma once
/// LayerScale of one branch of a residual block; empty where a model has none.
#include "couplet/nn/parameter.hpp"
#include "couplet/ops/layer_scale.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class LayerScale {
 public:
  /// What the branch gave, before it was scaled.
  struct Saved {
    Tensor<T, 2> u;  // (R, C), or empty
    void resize(const LayerScale& scale, Index rows) { u.resize({scale.empty() ? 0 : rows, scale.gamma.size()}); }
    template <class F>
    void visit_tensors(F&& f) {
      f(u);
    }
  };

  LayerScale() = default;
  explicit LayerScale(Index width) : gamma(Shape{width}) {}

  [[nodiscard]] bool empty() const { return gamma.size() == 0; }

  /// y += gamma branch, or y += branch where there is no LayerScale: `branch(u)` adds its output to u. y: (R, C), rows
  /// [first_row, first_row + R) of the batch that `saved` collects.
  template <class Branch>
  void add(TensorView<T, 2> y, Workspace& workspace, Saved* saved, Index first_row, Branch&& branch) const {
    if (empty()) return branch(y);
    Workspace::Scope scope(workspace);
    const TensorView<T, 2> u = saved != nullptr ? saved->u.view().slice(first_row, first_row + y.extent(0))
                                                : workspace.matrix<T>(y.extent(0), y.extent(1));
    std::fill_n(u.data(), u.size(), T(0));
    branch(u);
    ops::layer_scale_forward<T>(u, gamma.vector(), y);
  }

  /// dy: (R, C)   Returns the gradient of the branch's output: dy itself, or gamma dy in memory of `workspace`.
  [[nodiscard]] TensorView<const T, 2> backward(TensorView<const T, 2> dy, Workspace& workspace, const Saved& saved) {
    if (empty()) return dy;
    const TensorView<T, 2> du = workspace.matrix<T>(dy.extent(0), dy.extent(1));
    ops::layer_scale_backward<T>(dy, saved.u.view(), std::as_const(gamma).vector(), du,
                                 gamma.trainable ? gamma.grad_vector() : TensorView<T, 1>{});
    return du;
  }

  template <class F>
  void visit_parameters(F&& f) {
    if (!empty()) f("gamma", gamma);
  }

  Parameter<T> gamma;  ///< (C), or empty
};

}  // namespace couplet::inline COUPLET_ABI::nn
