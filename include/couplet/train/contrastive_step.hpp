#pragma once
/// One forward and backward pass of both towers and the contrastive loss between them.
#include "couplet/losses/clip_loss.hpp"
#include "couplet/losses/siglip_loss.hpp"
#include "couplet/models/clip.hpp"
#include "couplet/ops/l2_normalize.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// InfoNCE or the pairwise sigmoid loss.
enum class LossKind { clip, siglip };

/// Keeps everything between forward and backward, and reuses its memory from step to step.
template <class T>
class ContrastiveStep {
 public:
  explicit ContrastiveStep(LossKind kind) : kind_(kind) {}

  /// pixels: (B, 3, H, W)   ids: (B, L). Adds to the gradients of all trainable parameters and returns the loss. A
  /// frozen tower saves nothing and costs no backward work.
  T forward_backward(Clip<T>& model, TensorView<const T, 4> pixels, TensorView<const std::int64_t, 2> ids) {
    if (pixels.extent(0) != ids.extent(0)) {
      fail("train", "pixels " + to_string(pixels.shape()) + ", ids " + to_string(ids.shape()));
    }
    const bool train_visual = nn::any_trainable(model.visual);
    const bool train_text = nn::any_trainable(model.text);
    image_.resize(ids.extent(0), model.embed_dim());
    text_.resize(ids.extent(0), model.embed_dim());
    model.visual.forward(pixels, image_.features, workspace_, train_visual ? &saved_visual_ : nullptr);
    model.text.forward(ids, text_.features, workspace_, train_text ? &saved_text_ : nullptr);
    image_.normalize();
    text_.normalize();

    const T loss = loss_backward(model);
    if (train_visual) model.visual.backward(image_.unnormalize_gradient(), workspace_, saved_visual_);
    if (train_text) model.text.backward(text_.unnormalize_gradient(), workspace_, saved_text_);
    return loss;
  }

  /// (B, E), unit length, of the last step.
  [[nodiscard]] TensorView<const T, 2> image_embeds() const { return image_.embeds; }
  [[nodiscard]] TensorView<const T, 2> text_embeds() const { return text_.embeds; }

 private:
  /// The features of one tower, their unit-length form and the gradients of both.
  struct Features {
    Tensor<T, 2> features, embeds, dembeds, dfeatures;  // (B, E)
    Tensor<T, 1> norms;                                 // (B)

    void resize(Index batch, Index embed_dim) {
      for (auto* each : {&features, &embeds, &dembeds, &dfeatures}) each->resize({batch, embed_dim});
      norms.resize({batch});
    }
    void normalize() { ops::l2_normalize_forward<T>(features, embeds, norms); }
    TensorView<const T, 2> unnormalize_gradient() {
      ops::l2_normalize_backward<T>(dembeds, embeds, norms, dfeatures);
      return dfeatures;
    }
  };

  T loss_backward(Clip<T>& model) {
    losses::ContrastiveGradients<T> gradients{.image_features = image_.dembeds, .text_features = text_.dembeds};
    const T loss = kind_ == LossKind::clip
                       ? losses::ClipLoss<T>().forward_backward(image_.embeds, text_.embeds, model.log_scale(),
                                                                gradients, workspace_)
                       : losses::SigLipLoss<T>().forward_backward(image_.embeds, text_.embeds, model.log_scale(),
                                                                  model.bias(), gradients, workspace_);
    if (model.logit_scale.trainable) model.logit_scale.grad_vector()[0] += gradients.logit_scale;
    if (model.has_logit_bias() && model.logit_bias.trainable && kind_ == LossKind::siglip) {
      model.logit_bias.grad_vector()[0] += gradients.logit_bias;
    }
    return loss;
  }

  LossKind kind_;
  Features image_, text_;
  typename VisionTransformer<T>::Saved saved_visual_;
  typename TextTransformer<T>::Saved saved_text_;
  Workspace workspace_;
};

}  // namespace couplet::inline COUPLET_ABI::train
