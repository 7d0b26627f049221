#pragma once
/// The residual block of CLIP's ResNets.
///   y = relu(bn3(conv3(pool(a))) + shortcut(x)),   a = relu(bn2(conv2(relu(bn1(conv1(x))))))
/// conv1 and conv3 are 1 x 1, conv2 is 3 x 3. All convolutions have stride 1: where a block halves the image, an
/// average pool over 2 x 2 pixels precedes conv3 ("anti-aliased"), and another one the shortcut, which is a 1 x 1
/// convolution with batch norm where it changes the size or the number of channels, else x. He et al., "Deep Residual
/// Learning", 2016; names as open_clip's modified_resnet.py.
#include "couplet/nn/conv_batch_norm.hpp"
#include "couplet/nn/module.hpp"
#include "couplet/ops/average_pool_2d.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class Bottleneck {
 public:
  static constexpr Index expansion = 4;  ///< output channels per channel of the middle

  struct Saved {
    typename ConvBatchNorm<T>::Saved conv1, conv2, conv3, downsample;
    Tensor<T, 2> y;  // (B H' W', 4 C), the block's output
  };

  Bottleneck() = default;
  Bottleneck(Index in_channels, Index channels, Index stride)
      : conv1(in_channels, channels, 1, Activation::relu),
        conv2(channels, channels, 3, Activation::relu),
        conv3(channels, expansion * channels, 1, Activation::identity),
        stride_(stride) {
    if (stride == 1 && in_channels == expansion * channels) return;
    downsample = ConvBatchNorm<T>(in_channels, expansion * channels, 1, Activation::identity);
  }

  [[nodiscard]] Index out_channels() const { return conv3.out_channels(); }
  [[nodiscard]] ops::FeatureMap output(const ops::FeatureMap& map) const { return map.divided(stride_); }
  [[nodiscard]] bool has_downsample() const { return downsample.conv.weight.shape.rank() > 0; }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    for_each_unit([&](auto& unit, auto, auto) { unit.prepare(precision, packing); });
  }

  /// Inference.   x: (B H W, C), the pixels of `map`   y: (B H' W', 4 C), assigned; neither may be the other.
  void forward(TensorView<T, 2> x, const ops::FeatureMap& map, TensorView<T, 2> y, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const TensorView<T, 2> a1 = workspace.matrix<T>(map.rows(), conv1.out_channels());
    const TensorView<T, 2> a2 = workspace.matrix<T>(map.rows(), conv2.out_channels());
    conv1.forward(x, map, false, a1, workspace);
    conv2.forward(a1, map, false, a2, workspace);
    const TensorView<T, 2> shortcut = pooled(x, map, workspace);
    if (has_downsample()) {
      downsample.forward(shortcut, output(map), false, y, workspace);
    } else {
      copy(TensorView<const T, 2>(shortcut), y);
    }
    conv3.forward(pooled(a2, map, workspace), output(map), true, y, workspace);
    ops::activation_forward<T>(Activation::relu, y, y);
  }

  /// Training.   x: (B H W, C). The output is saved.y.
  void forward_training(TensorView<const T, 2> x, const ops::FeatureMap& map, Workspace& workspace,
                        Saved& saved) const {
    const Workspace::Scope scope(workspace);
    const TensorView<T, 2> a1 = workspace.matrix<T>(map.rows(), conv1.out_channels());
    const TensorView<T, 2> a2 = workspace.matrix<T>(map.rows(), conv2.out_channels());
    conv1.forward_training(x, map, a1, workspace, saved.conv1);
    conv2.forward_training(a1, map, a2, workspace, saved.conv2);
    saved.y.resize({output(map).rows(), out_channels()});
    const TensorView<T, 2> y = saved.y.view();
    conv3.forward_training(pooled<const T>(a2, map, workspace), output(map), y, workspace, saved.conv3);
    TensorView<const T, 2> shortcut = pooled(x, map, workspace);
    if (has_downsample()) {
      const TensorView<T, 2> normalized = workspace.matrix<T>(y.extent(0), y.extent(1));
      downsample.forward_training(shortcut, output(map), normalized, workspace, saved.downsample);
      shortcut = normalized;
    }
    ops::residual_add<T>(shortcut, y);
    ops::activation_forward<T>(Activation::relu, y, y);
  }

  /// dy: (B H' W', 4 C), overwritten   x: (B H W, C), the input of forward()   dx: (B H W, C), assigned.
  void backward(TensorView<T, 2> dy, TensorView<const T, 2> x, const ops::FeatureMap& map, TensorView<T, 2> dx,
                Workspace& workspace, const Saved& saved) {
    const Workspace::Scope scope(workspace);
    ops::activation_backward<T>(Activation::relu, saved.y.view(), dy, dy);
    backward_branch(dy, x, map, dx, workspace, saved);
    const ops::FeatureMap out = output(map);
    if (!has_downsample()) return ops::residual_add<T>(dy, dx);  // the shortcut is x
    const TensorView<T, 2> dshortcut = workspace.matrix<T>(out.rows(), x.extent(1));
    downsample.backward(dy, {}, pooled(x, map, workspace), out, dshortcut, workspace, saved.downsample);
    ops::average_pool_2d_backward<T>(dshortcut, map, stride_, dx, true);
  }

  template <class F>
  void visit_parameters(F&& f) {
    for_each_unit([&](auto& unit, std::string_view conv_name, std::string_view bn_name) {
      visit_child(conv_name, unit.conv, f);
      visit_child(bn_name, unit.bn, f);
    });
  }
  template <class F>
  void visit_buffers(F&& f) {
    for_each_unit(
        [&](auto& unit, std::string_view, std::string_view bn_name) { visit_child_buffers(bn_name, unit.bn, f); });
  }
  /// f(batch_norm)
  template <class F>
  void visit_batch_norms(F&& f) {
    for_each_unit([&](auto& unit, auto, auto) { f(unit.bn); });
  }

  ConvBatchNorm<T> conv1, conv2, conv3;
  ConvBatchNorm<T> downsample;  ///< of the shortcut, or empty

 private:
  /// f(unit, name of its convolution, name of its batch norm)
  template <class F>
  void for_each_unit(F&& f) {
    f(conv1, std::string_view("conv1."), std::string_view("bn1."));
    f(conv2, std::string_view("conv2."), std::string_view("bn2."));
    f(conv3, std::string_view("conv3."), std::string_view("bn3."));
    if (has_downsample()) f(downsample, std::string_view("downsample.0."), std::string_view("downsample.1."));
  }

  /// x after the average pool: x itself, or memory of `workspace`.
  template <class U>
  [[nodiscard]] TensorView<U, 2> pooled(TensorView<U, 2> x, const ops::FeatureMap& map, Workspace& workspace) const {
    if (stride_ == 1) return x;
    const TensorView<T, 2> y = workspace.matrix<T>(output(map).rows(), x.extent(1));
    ops::average_pool_2d_forward<T>(x, map, stride_, y);
    return y;
  }

  /// dx, assigned: through conv3, conv2 and conv1.
  void backward_branch(TensorView<const T, 2> dy, TensorView<const T, 2> x, const ops::FeatureMap& map,
                       TensorView<T, 2> dx, Workspace& workspace, const Saved& saved) {
    const Workspace::Scope scope(workspace);
    const Index channels = conv2.out_channels();
    const TensorView<T, 2> a1 = workspace.matrix<T>(map.rows(), channels);
    const TensorView<T, 2> a2 = workspace.matrix<T>(map.rows(), channels);
    const TensorView<T, 2> da1 = workspace.matrix<T>(map.rows(), channels);
    const TensorView<T, 2> da2 = workspace.matrix<T>(map.rows(), channels);
    conv1.recompute(saved.conv1, a1, workspace);
    conv2.recompute(saved.conv2, a2, workspace);
    const ops::FeatureMap out = output(map);
    const TensorView<T, 2> dz3 = workspace.matrix<T>(dy.extent(0), dy.extent(1));  // dy goes to the shortcut, too
    copy(dy, dz3);
    const TensorView<T, 2> dpooled = stride_ == 1 ? da2 : workspace.matrix<T>(out.rows(), channels);
    conv3.backward(dz3, {}, pooled<const T>(a2, map, workspace), out, dpooled, workspace, saved.conv3);
    if (stride_ != 1) ops::average_pool_2d_backward<T>(dpooled, map, stride_, da2, false);
    conv2.backward(da2, a2, a1, map, da1, workspace, saved.conv2);
    conv1.backward(da1, a1, x, map, dx, workspace, saved.conv1);
  }

  Index stride_ = 1;
};

}  // namespace couplet::inline COUPLET_ABI::nn
