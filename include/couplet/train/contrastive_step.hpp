#pragma once
/// One forward and backward pass of both towers and the contrastive loss between them, over a whole batch or, with the
/// same gradients, over micro-batches of it (gradient caching):
///
///   1. features of all micro-batches, activations of the last one alone kept
///   2. the loss over the whole batch, once: d(features), d(logit_scale), d(logit_bias)
///   3. from the last micro-batch to the first: forward again where the activations are gone, backward from its rows of
///      d(features)
///
/// Memory for activations follows the micro-batch; the price is a second forward pass of all but one of them. Batch
/// norm sees micro-batches, so that a residual network's gradients are those of its smaller batches. Gao et al.,
/// "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021.
#include <string>

#include "couplet/distributed/gradient_sum.hpp"
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
  /// micro_batch: pairs whose activations are in memory at a time; 0: all of the batch. grad_checkpointing: keeps the
  /// input of each block alone, and runs blocks forward again in the backward pass.
  explicit ContrastiveStep(LossKind kind, Index micro_batch = 0, bool grad_checkpointing = false,
                           distributed::Communicator& communicator = distributed::alone())
      : kind_(kind), micro_batch_(micro_batch), communicator_(communicator), gradients_(communicator) {
    if (micro_batch < 0) fail("train", "micro_batch must not be negative: " + std::to_string(micro_batch));
    blocks(saved_visual_).grad_checkpointing = grad_checkpointing;
    blocks(saved_text_).grad_checkpointing = grad_checkpointing;
  }

  /// pixels: (B, 3, H, W)   ids: (B, L). Adds to the gradients of all trainable parameters (which are zero before where
  /// there are several processes) and returns the loss. A frozen tower saves nothing and costs no backward work.
  T forward_backward(Clip<T>& model, TensorView<const T, 4> pixels, TensorView<const std::int64_t, 2> ids) {
    return forward_backward(model, Pictures<T>{pixels}, ids);
  }
  /// The same, where the image tower sees some patches of each picture.
  T forward_backward(Clip<T>& model, const Pictures<T>& pictures, TensorView<const std::int64_t, 2> ids) {
    if (pictures.extent(0) != ids.extent(0)) {
      fail("train", "pixels " + to_string(pictures.pixels.shape()) + ", ids " + to_string(ids.shape()));
    }
    const bool train_visual = forward_pictures(model, pictures);
    const bool train_text = forward_texts(model, ids);
    const T loss = loss_backward(model);
    if (train_text) backward(model.text, ids, text_, saved_text_);
    if (train_visual) backward(model.visual, pictures, image_, saved_visual_);
    gradients_.sum.finish();
    return loss;
  }

  /// The same with what a frozen image tower gave for the pictures before. features: (B, E), before l2 normalisation.
  T forward_backward_features(Clip<T>& model, TensorView<const T, 2> features, TensorView<const std::int64_t, 2> ids) {
    use_features(model.visual, "an image tower", features, {ids.extent(0), model.embed_dim()}, image_);
    const bool train_text = forward_texts(model, ids);
    const T loss = loss_backward(model);
    if (train_text) backward(model.text, ids, text_, saved_text_);
    gradients_.sum.finish();
    return loss;
  }
  /// The same with what a frozen text tower gave for the texts before. features: (B, E), before l2 normalisation.
  T forward_backward_features(Clip<T>& model, const Pictures<T>& pictures, TensorView<const T, 2> features) {
    use_features(model.text, "a text tower", features, {pictures.extent(0), model.embed_dim()}, text_);
    const bool train_visual = forward_pictures(model, pictures);
    const T loss = loss_backward(model);
    if (train_visual) backward(model.visual, pictures, image_, saved_visual_);
    gradients_.sum.finish();
    return loss;
  }

  /// Gives back the room of all activations until the next step.
  void clear_activations() {
    clear(blocks(saved_visual_));
    saved_visual_.resnet = {};
    clear(blocks(saved_text_));
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

  /// Batch norm would see this process's pairs, and nobody the statistics of the batch.
  static void refuse_batch_statistics(ImageTower<T>& tower) {
    if (!tower.is_resnet()) return;
    tower.resnet().visit_batch_norms([](nn::BatchNorm<T>& norm) {
      if (norm.frozen) return;
      fail("train",
           "batch norm is not trained by several processes: freeze it (--freeze-batch-norm) or lock the tower");
    });
  }

  /// Over all processes: of each block as soon as the backward pass has left it, while the pass goes on.
  struct SummedGradients final : nn::BlockObserver<T> {
    explicit SummedGradients(distributed::Communicator& communicator) : sum(communicator) {}
    void on_gradients(nn::ResidualAttentionBlock<T>& block) override { sum.start(block); }
    distributed::GradientSum<T> sum;
  };
  static typename nn::Transformer<T>::Saved& blocks(typename ImageTower<T>::Saved& saved) {
    return saved.transformer.transformer;
  }
  static typename nn::Transformer<T>::Saved& blocks(typename TextTransformer<T>::Saved& saved) {
    return saved.transformer;
  }

  /// The pairs [begin, end) of micro-batch `number`; the last one may be smaller than the others.
  struct Range {
    Index begin, end;
  };
  [[nodiscard]] Index micro_batches(Index batch) const {
    return micro_batch_ == 0 || batch <= micro_batch_ ? 1 : (batch + micro_batch_ - 1) / micro_batch_;
  }
  [[nodiscard]] Range micro_batch(Index number, Index batch) const {
    if (micro_batches(batch) == 1) return {0, batch};
    return {number * micro_batch_, std::min(batch, (number + 1) * micro_batch_)};
  }

  /// Features of the whole batch; `saved`, if any, holds the activations of the last micro-batch afterwards. Towers
  /// with batch norm must be in training for every micro-batch, whose statistics it takes.
  template <class Tower, class Input>
  void forward(const Tower& tower, const Input& input, Features& f, typename Tower::Saved* saved) {
    const Index batch = input.extent(0);
    bool always = false;
    if constexpr (requires { tower.trains_on_batch_statistics(); }) always = tower.trains_on_batch_statistics();
    for (Index i = 0; i < micro_batches(batch); ++i) {
      const auto [begin, end] = micro_batch(i, batch);
      tower.forward(input.slice(begin, end), f.features.view().slice(begin, end), workspace_,
                    always || end == batch ? saved : nullptr);
    }
    f.normalize();
  }

  template <class Tower, class Input>
  void backward(Tower& tower, const Input& input, Features& f, typename Tower::Saved& saved) {
    const Index batch = input.extent(0);
    const TensorView<const T, 2> dfeatures = f.unnormalize_gradient();
    for (Index i = micro_batches(batch); i-- > 0;) {
      const auto [begin, end] = micro_batch(i, batch);
      if (end < batch) {
        tower.forward(input.slice(begin, end), f.features.view().slice(begin, end), workspace_, &saved);
      }
      if (i == 0 && !communicator_.is_alone()) blocks(saved).observer = &gradients_;
      tower.backward(dfeatures.slice(begin, end), workspace_, saved);
    }
    blocks(saved).observer = nullptr;
    gradients_.sum.start(tower);  // what is left
  }

  template <class Saved>
  static void clear(Saved& saved) {
    saved.visit_tensors([](auto& tensor) { tensor.clear(); });
  }

  /// Features of the whole batch; whether the tower learns.
  bool forward_pictures(Clip<T>& model, const Pictures<T>& pictures) {
    const bool learns = nn::any_trainable(model.visual);
    if (learns && !communicator_.is_alone()) refuse_batch_statistics(model.visual);
    image_.resize(pictures.extent(0), model.embed_dim());
    forward(model.visual, pictures, image_, learns ? &saved_visual_ : nullptr);
    return learns;
  }
  bool forward_texts(Clip<T>& model, TensorView<const std::int64_t, 2> ids) {
    const bool learns = nn::any_trainable(model.text);
    text_.resize(ids.extent(0), model.embed_dim());
    forward(model.text, ids, text_, learns ? &saved_text_ : nullptr);
    return learns;
  }
  /// Features that are known in the place of a frozen tower's forward pass. expected: (B, E)
  template <class Tower>
  static void use_features(const Tower& tower, const char* name, TensorView<const T, 2> features,
                           const Extents<2>& expected, Features& f) {
    if (features.extents() != expected) {
      fail("train", "features " + to_string(features.shape()) + ", expected " + to_string(Shape(expected)));
    }
    if (nn::any_trainable(tower)) fail("train", std::string("features stand for ") + name + " that is not frozen");
    f.resize(expected[0], expected[1]);
    copy(features, f.features.view());
    f.normalize();
  }

  T loss_backward(Clip<T>& model) {
    losses::ContrastiveGradients<T> gradients{.image_features = image_.dembeds, .text_features = text_.dembeds};
    const T loss = kind_ == LossKind::clip
                       ? losses::ClipLoss<T>(Precision::float32, communicator_)
                             .forward_backward(image_.embeds, text_.embeds, model.log_scale(), gradients, workspace_)
                       : losses::SigLipLoss<T>(Precision::float32, communicator_)
                             .forward_backward(image_.embeds, text_.embeds, model.log_scale(), model.bias(), gradients,
                                               workspace_);
    if (model.logit_scale.trainable) model.logit_scale.grad_vector()[0] += gradients.logit_scale;
    if (model.has_logit_bias() && model.logit_bias.trainable && kind_ == LossKind::siglip) {
      model.logit_bias.grad_vector()[0] += gradients.logit_bias;
    }
    gradients_.sum.start(model.logit_scale);
    gradients_.sum.start(model.logit_bias);
    return loss;
  }

  LossKind kind_;
  Index micro_batch_;
  distributed::Communicator& communicator_;
  SummedGradients gradients_;
  Features image_, text_;
  typename ImageTower<T>::Saved saved_visual_;
  typename TextTransformer<T>::Saved saved_text_;
  Workspace workspace_;
};

}  // namespace couplet::inline COUPLET_ABI::train
