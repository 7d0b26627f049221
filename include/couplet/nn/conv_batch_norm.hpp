#pragma once
/// Convolution, batch norm and activation: what residual networks are made of.
///   z = conv(x),   y = f(bn(z))
/// In inference batch norm is a factor and an offset per channel, which prepare() puts into the weight that products
/// read: one product with a bias does all three. Training keeps z and computes the rest again.
#include "couplet/nn/batch_norm.hpp"
#include "couplet/nn/conv2d.hpp"
#include "couplet/nn/prepare_weight.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class ConvBatchNorm {
 public:
  struct Saved {
    Tensor<T, 2> z;  // (B H' W', O)
    typename BatchNorm<T>::Saved bn;
  };

  ConvBatchNorm() = default;
  ConvBatchNorm(Index in_channels, Index out_channels, Index kernel, Activation activation, Index stride = 1)
      : conv(in_channels, out_channels, kernel, stride), bn(out_channels), activation_(activation) {}

  [[nodiscard]] Index out_channels() const { return conv.out_channels(); }
  /// The images that come out where those of `map` go in.
  [[nodiscard]] ops::FeatureMap output(const ops::FeatureMap& map) const { return conv.on(map).output(); }

  /// After loading, and after every step of an optimiser and every backward pass that changed running statistics. The
  /// folded weight is always kept.
  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    prepare_weight(conv.weight, packed_, precision, packing,
                   [&](TensorView<const T, 2> weight) { packed_.pack(fold(weight), precision); });
  }

  /// Inference.   x: (B H W, C), the pixels of `map`   y: (B H' W', O), assigned or, with `accumulate`, added to.
  void forward(TensorView<T, 2> x, const ops::FeatureMap& map, bool accumulate, TensorView<T, 2> y,
               Workspace& workspace) const {
    if (packed_.empty()) fail("conv_batch_norm", "prepare() was not called after the weight was set");
    ops::conv2d_forward<T>(ops::Operand<T>(x), conv.on(map), packed_,
                           {.bias = offset_.data(), .activation = activation_, .accumulate = accumulate}, y, workspace);
  }

  /// Training: keeps z and the statistics.   x: (B H W, C)   y: (B H' W', O), assigned
  void forward_training(TensorView<const T, 2> x, const ops::FeatureMap& map, TensorView<T, 2> y, Workspace& workspace,
                        Saved& saved) const {
    saved.z.resize({output(map).rows(), out_channels()});
    conv.forward(x, map, saved.z, workspace, packed_.precision());
    bn.take_statistics(saved.z, saved.bn);
    recompute(saved, y, workspace);
  }

  /// y again, from what was saved.
  void recompute(const Saved& saved, TensorView<T, 2> y, Workspace& workspace) const {
    bn.forward(saved.z, saved.bn, y, workspace);
    if (activation_ != Activation::identity) ops::activation_forward<T>(activation_, y, y);
  }

  /// dy: (B H' W', O), overwritten   y: what forward() gave; read only where there is an activation, whose derivative
  /// must be known from its value (relu)   x: (B H W, C), the input of forward()   dx: (B H W, C), assigned, or an
  /// empty view.
  void backward(TensorView<T, 2> dy, TensorView<const T, 2> y, TensorView<const T, 2> x, const ops::FeatureMap& map,
                TensorView<T, 2> dx, Workspace& workspace, const Saved& saved) {
    if (activation_ != Activation::identity) ops::activation_backward<T>(activation_, y, dy, dy);
    bn.backward(dy, saved.z, saved.bn, dy, workspace);
    conv.backward(dy, x, map, dx, workspace, packed_.precision());
  }

  Conv2d<T> conv;
  BatchNorm<T> bn;

 private:
  /// The weight times batch norm's factors, (O, k k C), and offset_.
  [[nodiscard]] Tensor<T, 2> fold(TensorView<const T, 2> weight) {
    const Index inputs = conv.kernel() * conv.kernel() * conv.in_channels();
    Tensor<T, 2> folded({out_channels(), inputs});
    conv.copy_weight(weight, folded);
    offset_.resize(out_channels());
    for (Index o = 0; o < out_channels(); ++o) {
      const double factor = bn.factor(o);
      for (Index i = 0; i < inputs; ++i) folded(o, i) = static_cast<T>(factor * static_cast<double>(folded(o, i)));
      offset_.data()[o] = static_cast<T>(bn.offset(o));
    }
    return folded;
  }

  Activation activation_ = Activation::identity;
  ops::PackedWeight<T> packed_;
  AlignedBuffer<T> offset_;  // (O)
};

}  // namespace couplet::inline COUPLET_ABI::nn
