#pragma once
/// Initial values of a model that is trained from scratch: OpenAI's for CLIP (model.py, initialize_parameters, with the
/// image blocks at PyTorch's defaults), open_clip's for its ResNets and for what CoCa has more, big_vision's for
/// SigLIP.
#include "couplet/models/clip.hpp"
#include "couplet/nn/init.hpp"

namespace couplet::inline COUPLET_ABI {

namespace detail {

/// Initialises parameters by their place in the model: the name says which rule holds.
template <class T>
class Initializer {
 public:
  Initializer(const ClipConfig& config, std::uint64_t seed) : config_(config), seed_(seed) {}

  void operator()(std::string_view name, Parameter<T>& parameter) const {
    const Random random(seed_, nn::init::stream_of(name));
    if (name == "logit_scale") return nn::init::constant(parameter, config_.init_logit_scale);
    if (name == "logit_bias") return nn::init::constant(parameter, config_.init_logit_bias.value_or(0.0));
    if (ends_with(name, ".gamma")) {
      const auto& factor = name.starts_with("visual.") ? config_.vision.ls_init_value : config_.text.ls_init_value;
      return nn::init::constant(parameter, factor.value_or(1.0));
    }
    const bool norm = contains(name, "ln_") || contains(name, ".ln.");
    if (norm) return nn::init::constant(parameter, ends_with(name, "weight") ? 1.0 : 0.0);
    if (config_.vision.is_resnet() && name.starts_with("visual.")) return resnet(name, parameter, random);
    if (config_.family == ClipConfig::Family::siglip) return siglip(name, parameter, random);
    if (name.starts_with("visual.")) return clip_vision(name, parameter, random);
    clip_text(name, parameter, random);
  }

 private:
  static bool contains(std::string_view name, std::string_view part) { return name.find(part) != name.npos; }
  static bool ends_with(std::string_view name, std::string_view end) { return name.ends_with(end); }

  /// The inputs of one output: the product of all extents but the first.
  static Index fan_in(const Parameter<T>& parameter) { return parameter.size() / parameter.shape[0]; }

  /// Class and position embeddings and the projection: width^-0.5 N(0, 1). Everything else: PyTorch's defaults.
  void clip_vision(std::string_view name, Parameter<T>& parameter, Random random) const {
    const VisionConfig& v = config_.vision;
    const double scale = 1.0 / std::sqrt(static_cast<double>(v.width));
    if (ends_with(name, "embedding") || name == "visual.proj.weight") {
      return nn::init::normal(parameter, scale, random);
    }
    if (contains(name, "attn.") && ends_with(name, "bias")) return nn::init::constant(parameter, 0.0);
    if (ends_with(name, "query")) return nn::init::normal(parameter, 1.0, random);
    if (ends_with(name, "in_proj_weight")) return nn::init::xavier_uniform(parameter, v.width, 3 * v.width, random);
    if (ends_with(name, "_proj_weight")) {  // of the attentional pooler, for q, k and v alone
      return nn::init::xavier_uniform(parameter, fan_in(parameter), config_.embed_dim, random);
    }
    torch_default(name, parameter, v.width, v.mlp_width, random);
  }

  /// Attention pool: positions and weights N(0, 1 / sqrt(C)). The last batch norm of each block begins with 0, so that
  /// the block does nothing. Everything else: PyTorch's defaults.
  void resnet(std::string_view name, Parameter<T>& parameter, Random random) const {
    const auto features = static_cast<double>(config_.vision.resnet_features());
    if (contains(name, "attnpool.")) {
      if (ends_with(name, "bias")) return nn::init::torch_default(parameter, config_.vision.resnet_features(), random);
      return nn::init::normal(parameter, 1.0 / std::sqrt(features), random);
    }
    const bool batch_norm = contains(name, "bn") || contains(name, "downsample.1.");
    if (!batch_norm) return nn::init::torch_default(parameter, fan_in(parameter), random);
    const bool last = contains(name, "layer") && contains(name, "bn3.");
    nn::init::constant(parameter, ends_with(name, "weight") && !last ? 1.0 : 0.0);
  }

  void clip_text(std::string_view name, Parameter<T>& parameter, Random random) const {
    const TextConfig& t = config_.text;
    const auto width = static_cast<double>(t.width);
    const double proj_std = 1.0 / std::sqrt(width * 2.0 * static_cast<double>(t.layers));
    if (name == "token_embedding.weight") return nn::init::normal(parameter, 0.02, random);
    if (name == "positional_embedding" || name == "cls_emb") return nn::init::normal(parameter, 0.01, random);
    if (name == "text_projection.weight") return nn::init::normal(parameter, 1.0 / std::sqrt(width), random);
    if (name == "text_projection.bias") return nn::init::constant(parameter, 0.0);
    if (contains(name, "attn.") && ends_with(name, "bias")) return nn::init::constant(parameter, 0.0);
    if (ends_with(name, "in_proj_weight")) return nn::init::normal(parameter, 1.0 / std::sqrt(width), random);
    if (ends_with(name, "proj.weight")) return nn::init::normal(parameter, proj_std, random);  // out_proj, c_proj
    if (ends_with(name, "c_fc.weight")) return nn::init::normal(parameter, 1.0 / std::sqrt(2.0 * width), random);
    torch_default(name, parameter, t.width, t.mlp_width, random);
  }

  /// A bias draws from the same interval as its weight, whose fan-in it does not know: c_proj reads the hidden layer.
  void torch_default(std::string_view name, Parameter<T>& parameter, Index width, Index mlp_width,
                     Random random) const {
    const bool is_bias = ends_with(name, "bias");
    const Index of_bias = contains(name, "c_proj") ? mlp_width : width;
    nn::init::torch_default(parameter, is_bias ? of_bias : fan_in(parameter), random);
  }

  /// big_vision: positions N(0, 1 / sqrt(width)); attention and MLP kernels xavier-uniform per projection; MLP biases
  /// N(0, 1e-6); patch convolution and text head lecun-normal; token table N(0, 1 / sqrt(width)).
  void siglip(std::string_view name, Parameter<T>& parameter, Random random) const {
    const Index width = name.starts_with("visual.") ? config_.vision.width : config_.text.width;
    const double scale = 1.0 / std::sqrt(static_cast<double>(width));
    if (ends_with(name, "positional_embedding") || name == "token_embedding.weight") {
      return nn::init::normal(parameter, scale, random);
    }
    if (contains(name, "mlp.") && ends_with(name, "bias")) return nn::init::normal(parameter, 1e-6, random);
    if (ends_with(name, "bias")) return nn::init::constant(parameter, 0.0);
    if (ends_with(name, "probe")) return nn::init::xavier_uniform(parameter, width, 1, random);
    if (ends_with(name, "in_proj_weight")) return nn::init::xavier_uniform(parameter, width, width, random);
    if (contains(name, "out_proj") || contains(name, "mlp.")) {
      return nn::init::xavier_uniform(parameter, fan_in(parameter), parameter.shape[0], random);
    }
    nn::init::lecun_normal(parameter, fan_in(parameter), random);  // conv1, text_projection
  }

  ClipConfig config_;
  std::uint64_t seed_;
};

}  // namespace detail

/// Gives every parameter its initial value and prepares the model.
template <class T>
void initialize(Clip<T>& model, std::uint64_t seed) {
  const detail::Initializer<T> initializer(model.config(), seed);
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) { initializer(name, parameter); });
  model.prepare();
}

}  // namespace couplet::inline COUPLET_ABI
