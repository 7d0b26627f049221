#pragma once
/// The image tower of a model: a vision transformer or a residual network, as the configuration says. It does what both
/// do; what only one of them has is reached through transformer() or resnet().
#include <span>
#include <variant>

#include "couplet/models/modified_resnet.hpp"
#include "couplet/models/vision_transformer.hpp"
#include "couplet/nn/module.hpp"

namespace couplet::inline COUPLET_ABI {

template <class T>
class ImageTower {
 public:
  /// Of the tower that there is; the other one is empty.
  struct Saved {
    typename VisionTransformer<T>::Saved transformer;
    typename ModifiedResNet<T>::Saved resnet;
  };

  ImageTower() = default;
  ImageTower(const VisionConfig& config, Index embed_dim) {
    if (config.is_resnet()) {
      tower_.template emplace<ModifiedResNet<T>>(config, embed_dim);
    } else {
      tower_.template emplace<VisionTransformer<T>>(config, embed_dim);
    }
  }

  [[nodiscard]] bool is_resnet() const { return std::holds_alternative<ModifiedResNet<T>>(tower_); }
  /// std::bad_variant_access: the tower is of the other kind.
  [[nodiscard]] VisionTransformer<T>& transformer() { return std::get<VisionTransformer<T>>(tower_); }
  [[nodiscard]] const VisionTransformer<T>& transformer() const { return std::get<VisionTransformer<T>>(tower_); }
  [[nodiscard]] ModifiedResNet<T>& resnet() { return std::get<ModifiedResNet<T>>(tower_); }
  [[nodiscard]] const ModifiedResNet<T>& resnet() const { return std::get<ModifiedResNet<T>>(tower_); }

  /// The table of positions: (tokens, width).
  [[nodiscard]] Parameter<T>& positional_embedding() {
    return is_resnet() ? resnet().attnpool.positional_embedding : transformer().positional_embedding;
  }

  void prepare(Precision precision = Precision::float32, nn::Packing packing = nn::Packing::kept) {
    std::visit([&](auto& tower) { tower.prepare(precision, packing); }, tower_);
  }

  /// pixels: (B, 3, H, W)   features: (B, E), before l2 normalisation. With `saved` it is a training pass, whose
  /// features may be others: see trains_on_batch_statistics().
  void forward(TensorView<const T, 4> pixels, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    if (is_resnet()) {
      resnet().forward(pixels, features, workspace, saved != nullptr ? &saved->resnet : nullptr);
    } else {
      transformer().forward(pixels, features, workspace, saved != nullptr ? &saved->transformer : nullptr);
    }
  }
  /// The same, of some patches of each picture.
  void forward(const Pictures<T>& pictures, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    if (pictures.patches.empty()) return forward(pictures.pixels, features, workspace, saved);
    if (is_resnet()) fail("encode_image", "a residual network has no patches to leave out");
    transformer().forward(pictures, features, workspace, saved != nullptr ? &saved->transformer : nullptr);
  }
  /// NaFlex: images of different sizes, (3, H, W) each.
  void forward(std::span<const TensorView<const T, 3>> pixels, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    if (is_resnet()) fail("encode_image", "this model reads images of one size");
    transformer().forward(pixels, features, workspace, saved != nullptr ? &saved->transformer : nullptr);
  }

  /// dfeatures: (B, E). Adds to the gradients of all parameters.
  void backward(TensorView<const T, 2> dfeatures, Workspace& workspace, const Saved& saved) {
    if (is_resnet()) {
      resnet().backward(dfeatures, workspace, saved.resnet);
    } else {
      transformer().backward(dfeatures, workspace, saved.transformer);
    }
  }

  /// Whether the features of an image in training depend on its batch: batch norm's statistics are the batch's then.
  [[nodiscard]] bool trains_on_batch_statistics() const { return is_resnet(); }

  template <class F>
  void visit_parameters(F&& f) {
    std::visit([&](auto& tower) { tower.visit_parameters(f); }, tower_);
  }
  template <class F>
  void visit_buffers(F&& f) {
    if (is_resnet()) resnet().visit_buffers(f);
  }

 private:
  std::variant<VisionTransformer<T>, ModifiedResNet<T>> tower_;
};

}  // namespace couplet::inline COUPLET_ABI
