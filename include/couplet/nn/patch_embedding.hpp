#pragma once
/// The convolution that turns an image into tokens: kernel size = stride = patch size, so it is one matrix product over
/// the patches. Rows and columns of pixels beyond the last whole patch are not used, as in torch.nn.Conv2d.
#include "couplet/nn/linear.hpp"
#include "couplet/ops/patch_embedding.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class PatchEmbedding {
 public:
  struct Saved {
    TensorView<const T, 4> pixels;  // (B, channels, H, W), borrowed: they stay where they are until backward()
  };

  PatchEmbedding() = default;
  PatchEmbedding(Index width, Index channels, Index patch, bool with_bias)
      : weight(Shape{width, channels, patch, patch}) {
    if (with_bias) bias.reshape(Shape{width});
  }

  [[nodiscard]] Index patch_size() const { return weight.shape[3]; }
  [[nodiscard]] Index patches(Index height, Index width) const {
    return (height / patch_size()) * (width / patch_size());
  }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    prepare_weight(weight, packed_, precision, packing);
  }

  /// pixels: (B, channels, H, W)   y: (B * patches, C), assigned.
  void forward(TensorView<const T, 4> pixels, TensorView<T, 2> y, Workspace& workspace, Saved* saved) const {
    if (packed_.empty()) fail("patch_embedding", "prepare() was not called after the weight was set");
    if (saved != nullptr) saved->pixels = pixels;
    Workspace::Scope scope(workspace);
    const ops::PackedFactor<T> packed = packed_.factor([&] { return weight.matrix(); }, workspace);
    const ops::Operand<T> unfolded(workspace, y.extent(0), packed.rows());
    ops::image_to_patches(pixels, patch_size(), unfolded);
    ops::linear_forward(unfolded, packed, {.bias = bias.size() > 0 ? bias.value.data() : nullptr}, y, workspace);
  }

  /// dy: (B * patches, C). Images are data, so nothing is propagated to the pixels.
  void backward(TensorView<const T, 2> dy, Workspace& workspace, const Saved& saved) {
    Workspace::Scope scope(workspace);
    if (weight.trainable) {
      const ops::Operand<T> unfolded(workspace, dy.extent(0), std::as_const(weight).matrix().extent(1));
      ops::image_to_patches<T>(saved.pixels, patch_size(), unfolded);
      ops::linear_backward_weight<T>(dy, unfolded.view(), weight.grad_matrix(), workspace, packed_.precision());
    }
    if (bias.size() > 0 && bias.trainable) ops::linear_backward_bias(dy, bias.grad_vector());
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("weight", weight);
    if (bias.size() > 0) f("bias", bias);
  }

  Parameter<T> weight;  ///< (C, channels, p, p)
  Parameter<T> bias;    ///< (C), or empty

 private:
  ops::PackedWeight<T> packed_;
};

}  // namespace couplet::inline COUPLET_ABI::nn
