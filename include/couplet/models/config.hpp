#pragma once
/// What a CLIP or SigLIP model is made of. One set of structures describes both families; a configuration file of any
/// layout is translated into it (pretrained/), and nothing is ever guessed from a model's name.
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "couplet/core/shape.hpp"
#include "couplet/simd/activation_kind.hpp"

namespace couplet::inline COUPLET_ABI {

/// How the image tower turns its tokens into one vector.
enum class VisionPool {
  class_token,        ///< ln_post of the class token, then a projection (CLIP)
  average,            ///< the mean of the patch tokens, then a projection (open_clip's pool_type "avg")
  attention_pool,     ///< ln_post of every token, then an attention-pool head (SigLIP)
  attentional_pooler  ///< a query of width embed_dim asks all tokens; ln_post of its answer, then a projection (CoCa)
};

/// Which token of a text stands for the whole of it.
enum class TextPool {
  eot,         ///< the first token with id eot_token_id (CLIP)
  argmax,      ///< the first token with the largest id (open_clip, and CLIP configurations that say eos_token_id 2)
  last,        ///< the last position of the padded text (SigLIP)
  class_token  ///< a class token behind the padded text, which does not see padding (CoCa)
};

/// An image tower is a ViT, or a residual network where `resnet_layers` is given. The latter reads image size, width
/// (channels after the stem; the attention pool has 32 times as many), heads (of the attention pool) and eps (of batch
/// norm); the other members keep the values that as_resnet() gives them.
struct VisionConfig {
  Index image_height = 224;
  Index image_width = 224;
  Index patch_size = 32;
  Index channels = 3;
  Index width = 768;
  Index layers = 12;
  Index heads = 12;
  Index mlp_width = 3072;
  Activation activation = Activation::quick_gelu;
  double eps = 1e-5;
  bool class_token = true;
  bool patch_bias = false;
  bool ln_pre = true;
  VisionPool pool = VisionPool::class_token;
  bool ln_after_pool = false;                ///< average: ln_post follows the mean instead of preceding it
  std::optional<double> ls_init_value = {};  ///< LayerScale and its initial factors; no value: the blocks have none
  bool eva02 = false;          ///< EVA02's blocks: rotary positions, no bias of keys, a gated MLP, norms inside both
  Index pooler_queries = 256;  ///< attentional_pooler: its queries; the first is used here, all are stored
  Index pooler_heads = 8;      ///< attentional_pooler
  Index max_patches = 0;       ///< NaFlex: images of any shape with at most so many patches; 0: all have one size
  bool projection = true;      ///< to embed_dim
  bool projection_bias = false;
  std::optional<std::array<Index, 4>> resnet_layers = {};  ///< ModifiedResNet: how many blocks its four layers have

  [[nodiscard]] bool is_resnet() const { return resnet_layers.has_value(); }
  /// The width of what ln_post normalises.
  [[nodiscard]] Index pooled_width(Index embed_dim) const {
    return pool == VisionPool::attentional_pooler ? embed_dim : width;
  }
  /// Channels of the last layer of a residual network.
  [[nodiscard]] Index resnet_features() const { return 32 * width; }

  /// Whether images may have different sizes. image_height and image_width are then those of the position table's grid.
  [[nodiscard]] bool flexible() const { return max_patches > 0; }
  /// Whether a training pass may leave patches out (FLIP).
  [[nodiscard]] bool may_drop_patches() const { return !is_resnet() && !eva02 && !flexible(); }
  [[nodiscard]] Index grid_height() const { return image_height / patch_size; }
  [[nodiscard]] Index grid_width() const { return image_width / patch_size; }
  [[nodiscard]] Index tokens() const { return grid_height() * grid_width() + (class_token ? 1 : 0); }
};

struct TextConfig {
  Index vocab_size = 49408;
  Index context_length = 77;
  Index width = 512;
  Index layers = 12;
  Index heads = 8;
  Index mlp_width = 2048;
  Activation activation = Activation::quick_gelu;
  double eps = 1e-5;
  bool causal = true;
  std::optional<double> ls_init_value = {};  ///< as in VisionConfig
  bool projection_bias = false;
  TextPool pool = TextPool::eot;
  std::int64_t eot_token_id = 49407;
  std::int64_t bos_token_id = 49406;
  std::int64_t pad_token_id = 49407;  ///< read by the towers with a class token alone

  [[nodiscard]] bool has_class_token() const { return pool == TextPool::class_token; }
  /// Rows of the table of positions.
  [[nodiscard]] Index positions() const { return context_length + (has_class_token() ? 1 : 0); }
  /// Whether the text must come with context_length tokens: what is behind the pooled token influences it, or the class
  /// token has its place behind them.
  [[nodiscard]] bool full_length() const { return !causal || pool == TextPool::last || has_class_token(); }
};

struct ClipConfig {
  enum class Family { clip, siglip };

  Family family = Family::clip;
  Index embed_dim = 512;
  VisionConfig vision;
  TextConfig text;
  double init_logit_scale = 2.6592600369327783;  ///< ln(1 / 0.07)
  std::optional<double> init_logit_bias;         ///< no value: the model has no logit_bias
};

/// The image tower that is a CLIP ResNet: the image shrinks by 32, so that a position of the attention pool stands for
/// what a patch of 32 pixels is in a ViT; the mean takes the place of the class token.
inline VisionConfig as_resnet(VisionConfig v, const std::array<Index, 4>& layers) {
  v.resnet_layers = layers;
  v.layers = 4;
  v.patch_size = 32;
  v.mlp_width = 0;
  v.activation = Activation::relu;
  v.class_token = true;
  v.patch_bias = v.ln_pre = v.projection = false;
  v.pool = VisionPool::attention_pool;
  return v;
}

/// The structure of SigLIP around the sizes of a configuration: no class token, attention pool, bidirectional text read
/// at its last position, tanh-GELU, eps 1e-6, logit_scale ln 10 and logit_bias -10.
inline ClipConfig as_siglip(ClipConfig config) {
  if (config.vision.is_resnet()) fail("config", "SigLIP's image tower is a vision transformer, not a residual network");
  config.family = ClipConfig::Family::siglip;
  config.embed_dim = config.vision.width;
  config.vision.class_token = false;
  config.vision.patch_bias = true;
  config.vision.ln_pre = false;
  config.vision.pool = VisionPool::attention_pool;
  config.vision.projection = false;
  config.vision.activation = config.text.activation = Activation::gelu_tanh;
  config.vision.eps = config.text.eps = 1e-6;
  config.text.causal = false;
  config.text.pool = TextPool::last;
  config.text.projection_bias = true;
  config.init_logit_scale = std::log(10.0);
  config.init_logit_bias = -10.0;
  return config;
}

/// EVA02's image tower, as timm has it, around the sizes of a configuration.
inline VisionConfig as_eva02(VisionConfig v) {
  v.eva02 = true;
  v.activation = Activation::silu;
  v.eps = 1e-6;
  v.class_token = v.patch_bias = v.projection = v.projection_bias = true;
  v.ln_pre = false;
  v.pool = VisionPool::class_token;
  return v;
}

/// The structure of CoCa's contrastive half, as open_clip's, around the sizes of a configuration.
inline ClipConfig as_coca(ClipConfig config) {
  config.vision.pool = VisionPool::attentional_pooler;
  config.text.pool = TextPool::class_token;
  config.text.pad_token_id = 0;
  return config;
}

namespace detail {

inline void require_positive(Index value, const char* name) {
  if (value <= 0) fail("config", std::string(name) + " must be positive, not " + std::to_string(value));
}

inline void validate_text(const TextConfig& t) {
  require_positive(t.width, "text width");
  require_positive(t.heads, "text heads");
  require_positive(t.mlp_width, "text mlp_width");
  require_positive(t.vocab_size, "vocab_size");
  require_positive(t.context_length, "context_length");
  if (t.layers < 0) fail("config", "the number of layers is negative");
  if (t.width % t.heads != 0) {
    fail("config",
         "text width " + std::to_string(t.width) + " does not divide into " + std::to_string(t.heads) + " heads");
  }
}

inline void validate_resnet(const VisionConfig& v) {
  require_positive(v.width, "vision width");
  require_positive(v.heads, "vision heads");
  require_positive(v.channels, "vision channels");
  for (const Index blocks : *v.resnet_layers) require_positive(blocks, "the number of blocks of a layer");
  if (v.width % 2 != 0) fail("config", "vision width " + std::to_string(v.width) + " is odd");
  if (v.resnet_features() % v.heads != 0) {
    fail("config", "the attention pool's width " + std::to_string(v.resnet_features()) + " does not divide into " +
                       std::to_string(v.heads) + " heads");
  }
  if (v.patch_size != 32 || v.image_height < 32 || v.image_width < 32 || v.image_height % 32 != 0 ||
      v.image_width % 32 != 0) {
    fail("config", "images of a residual network have sides that are multiples of 32, not " +
                       std::to_string(v.image_height) + " x " + std::to_string(v.image_width));
  }
}

inline void validate_vit(const VisionConfig& v, Index embed_dim) {
  require_positive(v.patch_size, "vision patch_size");
  require_positive(v.width, "vision width");
  require_positive(v.heads, "vision heads");
  require_positive(v.mlp_width, "vision mlp_width");
  require_positive(v.channels, "vision channels");
  if (v.layers < 0) fail("config", "the number of layers is negative");
  if (v.grid_height() < 1 || v.grid_width() < 1) {
    fail("config", "patch_size " + std::to_string(v.patch_size) + " is larger than the image, " +
                       std::to_string(v.image_height) + " x " + std::to_string(v.image_width));
  }
  if (v.width % v.heads != 0) {
    fail("config",
         "vision width " + std::to_string(v.width) + " does not divide into " + std::to_string(v.heads) + " heads");
  }
  if (v.eva02 && (v.width / v.heads % 4 != 0 || !v.class_token || v.flexible() || v.activation != Activation::silu)) {
    fail("config", "EVA02's towers have heads whose width is a multiple of 4, a class token, one size and SiLU");
  }
  if (v.pool == VisionPool::attentional_pooler) {
    require_positive(v.pooler_queries, "vision pooler_queries");
    require_positive(v.pooler_heads, "vision pooler_heads");
    if (embed_dim % v.pooler_heads != 0) {
      fail("config", "embed_dim " + std::to_string(embed_dim) + " does not divide into " +
                         std::to_string(v.pooler_heads) + " heads of the attentional pooler");
    }
    if (!v.projection || v.flexible()) fail("config", "an attentional pooler without a projection, or with NaFlex");
  }
  if (v.pool == VisionPool::class_token && !v.class_token) fail("config", "class_token pooling without a class token");
  if (v.ln_after_pool && v.pool != VisionPool::average) fail("config", "ln_after_pool belongs to average pooling");
  if (!v.projection && v.width != embed_dim) {
    fail("config", "without a projection embed_dim " + std::to_string(embed_dim) + " must be the vision width " +
                       std::to_string(v.width));
  }
  if (v.max_patches < 0) fail("config", "max_patches is negative");
  if (v.flexible() && (v.class_token || v.ln_pre)) {
    fail("config", "images of different sizes with a class token or ln_pre");
  }
  if (v.pool == VisionPool::attention_pool && v.projection) {
    fail("config", "an attention-pool head is not followed by a projection");
  }
}

}  // namespace detail

/// Throws std::invalid_argument when no model can be built from `config`.
inline void validate(const ClipConfig& config) {
  detail::require_positive(config.embed_dim, "embed_dim");
  config.vision.is_resnet() ? detail::validate_resnet(config.vision)
                            : detail::validate_vit(config.vision, config.embed_dim);
  detail::validate_text(config.text);
}

}  // namespace couplet::inline COUPLET_ABI
