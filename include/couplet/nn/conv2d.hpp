#pragma once
/// A convolution without bias, as torch.nn.Conv2d(in, out, k, stride, padding=(k - 1) / 2, bias=False).
#include <utility>

#include "couplet/nn/parameter.hpp"
#include "couplet/ops/conv2d.hpp"

namespace couplet::inline COUPLET_ABI::nn {

/// Holds the weight in torch's order, so that files and optimisers see it so; products read it as (O, k, k, C). The
/// functions here are those of training; inference goes through nn/conv_batch_norm.hpp.
template <class T>
class Conv2d {
 public:
  Conv2d() = default;
  Conv2d(Index in_channels, Index out_channels, Index kernel, Index stride = 1)
      : weight(Shape{out_channels, in_channels, kernel, kernel}), stride_(stride) {}

  [[nodiscard]] Index in_channels() const { return weight.shape[1]; }
  [[nodiscard]] Index out_channels() const { return weight.shape[0]; }
  [[nodiscard]] Index kernel() const { return weight.shape[2]; }
  /// What it does to the images of a map.
  [[nodiscard]] ops::Convolution on(const ops::FeatureMap& map) const { return {map, kernel(), stride_}; }

  /// A weight as products read it.   torch_weight: (O, C k k)   product_weight: (O, k k C), assigned
  void copy_weight(TensorView<const T, 2> torch_weight, TensorView<T, 2> product_weight) const {
    for_each_element(
        [&](Index element, Index o, Index, Index column) { product_weight(o, column) = torch_weight.data()[element]; });
  }

  /// x: (B H W, C), the pixels of `map`   y: (B H' W', O), assigned.
  void forward(TensorView<const T, 2> x, const ops::FeatureMap& map, TensorView<T, 2> y, Workspace& workspace,
               Precision precision) const {
    const Workspace::Scope scope(workspace);
    const TensorView<T, 2> w = product_matrix(workspace);
    copy_weight(weight.matrix(), w);
    ops::conv2d<T>(x, on(map), w, y, workspace, precision);
  }

  /// dy: (B H' W', O)   x: (B H W, C), the input of forward()   dx: (B H W, C), assigned; an empty view when nobody
  /// asks for it, which a stride above 1 requires.
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, const ops::FeatureMap& map, TensorView<T, 2> dx,
                Workspace& workspace, Precision precision) {
    const Workspace::Scope scope(workspace);
    if (dx.data() != nullptr) backward_input(dy, map, dx, workspace, precision);
    if (!weight.trainable) return;
    const TensorView<T, 2> dw = product_matrix(workspace);
    std::fill_n(dw.data(), dw.size(), T(0));
    ops::conv2d_backward_weight<T>(dy, x, on(map), dw, workspace, precision);
    for_each_element(
        [&](Index element, Index o, Index, Index column) { weight.grad.data()[element] += dw(o, column); });
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("weight", weight);
  }

  Parameter<T> weight;  ///< (O, C, k, k)

 private:
  [[nodiscard]] TensorView<T, 2> product_matrix(Workspace& workspace) const {
    return workspace.matrix<T>(out_channels(), kernel() * kernel() * in_channels());
  }

  /// f(element, o, c, column) for all elements in torch's order; column = (ky k + kx) C + c.
  template <class F>
  void for_each_element(F&& f) const {
    const Index taps = kernel() * kernel();
    Index element = 0;
    for (Index o = 0; o < out_channels(); ++o) {
      for (Index c = 0; c < in_channels(); ++c) {
        for (Index tap = 0; tap < taps; ++tap) f(element++, o, c, tap * in_channels() + c);
      }
    }
  }

  /// The convolution of dy with the weight turned by 180 degrees: tap t of output o becomes tap k k - 1 - t.
  void backward_input(TensorView<const T, 2> dy, const ops::FeatureMap& map, TensorView<T, 2> dx, Workspace& workspace,
                      Precision precision) const {
    if (stride_ != 1) fail("conv2d backward", "the gradient of the input is not computed for a stride above 1");
    const Index taps = kernel() * kernel();
    const TensorView<T, 2> turned = workspace.matrix<T>(in_channels(), taps * out_channels());
    for_each_element([&](Index element, Index o, Index c, Index column) {
      const Index tap = taps - 1 - column / in_channels();
      turned(c, tap * out_channels() + o) = weight.value.data()[element];
    });
    ops::conv2d<T>(dy, on(map), turned, dx, workspace, precision);
  }

  Index stride_ = 1;
};

}  // namespace couplet::inline COUPLET_ABI::nn
