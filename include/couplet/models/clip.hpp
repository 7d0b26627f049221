#pragma once
/// A CLIP or SigLIP model: an image tower, a text tower, a temperature and, for SigLIP, a bias.
/// Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021;
/// Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023.
#include "couplet/models/image_tower.hpp"
#include "couplet/models/text_transformer.hpp"

namespace couplet::inline COUPLET_ABI {

/// logits_per_image = exp(logit_scale) * image_embeds text_embeds^T (+ logit_bias). `logit_scale` is stored as its log.
template <class T>
class Clip {
 public:
  Clip() = default;
  explicit Clip(const ClipConfig& config) {
    validate(config);
    config_ = config;
    visual = ImageTower<T>(config.vision, config.embed_dim);
    text = TextTransformer<T>(config.text, config.embed_dim);
    // SigLIP's files hold both as vectors of one element, CLIP's hold a scalar.
    const Shape scalar = config.family == ClipConfig::Family::siglip ? Shape{1} : Shape{};
    logit_scale.reshape(scalar);
    *logit_scale.value.data() = static_cast<T>(config.init_logit_scale);
    if (config.init_logit_bias) {
      logit_bias.reshape(scalar);
      *logit_bias.value.data() = static_cast<T>(*config.init_logit_bias);
    }
  }

  [[nodiscard]] const ClipConfig& config() const { return config_; }
  [[nodiscard]] Index embed_dim() const { return config_.embed_dim; }
  [[nodiscard]] bool has_logit_bias() const { return logit_bias.size() > 0; }
  /// The temperature in log space, and the bias (0 where there is none).
  [[nodiscard]] T log_scale() const { return *logit_scale.value.data(); }
  [[nodiscard]] T bias() const { return has_logit_bias() ? *logit_bias.value.data() : T(0); }

  /// Brings all weights into the form that products read, in the precision and manner of the last time. After loading
  /// and, with Packing::kept, whenever weights have changed.
  void prepare() { prepare(precision_, packing_); }
  /// The same in another precision, of forward and backward products, or in another manner. Without bfloat16 products
  /// on this machine, and for double, it stays float32: precision() says what it is. After Packing::only there is no
  /// other: std::invalid_argument, and the model stays as it is.
  void prepare(Precision precision, nn::Packing packing = nn::Packing::kept) {
    visual.prepare(precision, packing);
    text.prepare(precision, packing);
    precision_ = std::is_same_v<T, float> ? simd::effective_precision(precision) : Precision::float32;
    packing_ = packing;
  }
  [[nodiscard]] Precision precision() const { return precision_; }
  [[nodiscard]] nn::Packing packing() const { return packing_; }

  /// pixels: (B, 3, H, W)   features: (B, E), before l2 normalisation. Const and re-entrant: several threads may call
  /// it on one model, each with a workspace of its own. Same bits whatever the batch and the number of threads.
  void encode_image(TensorView<const T, 4> pixels, TensorView<T, 2> features, Workspace& workspace) const {
    visual.forward(pixels, features, workspace);
  }
  /// NaFlex: images of different sizes, (3, H, W) each.
  void encode_image(std::span<const TensorView<const T, 3>> pixels, TensorView<T, 2> features,
                    Workspace& workspace) const {
    visual.forward(pixels, features, workspace);
  }
  /// ids: (B, L)   features: (B, E), before l2 normalisation.
  void encode_text(TensorView<const std::int64_t, 2> ids, TensorView<T, 2> features, Workspace& workspace) const {
    text.forward(ids, features, workspace);
  }

  /// open_clip's names: visual.*, then the text tower's parameters without a prefix, logit_scale, logit_bias.
  template <class F>
  void visit_parameters(F&& f) {
    nn::visit_child("visual.", visual, f);
    text.visit_parameters(f);
    f("logit_scale", logit_scale);
    if (has_logit_bias()) f("logit_bias", logit_bias);
  }
  /// The running statistics of batch norm, where there is one.
  template <class F>
  void visit_buffers(F&& f) {
    nn::visit_child_buffers("visual.", visual, f);
  }

  ImageTower<T> visual;
  TextTransformer<T> text;
  Parameter<T> logit_scale;
  Parameter<T> logit_bias;

 private:
  ClipConfig config_;
  Precision precision_ = Precision::float32;
  nn::Packing packing_ = nn::Packing::kept;
};

}  // namespace couplet::inline COUPLET_ABI
