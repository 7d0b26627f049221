#pragma once
/// What a model is, in lines for people: everything that has to be right for its numbers to be right.
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/io/json_writer.hpp"
#include "couplet/pretrained/hugging_face_config.hpp"
#include "couplet/pretrained/parameters.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

/// A name and what is to be said about it.
using DescriptionLine = std::pair<std::string, std::string>;

namespace detail {

/// 151277313 as "151,277,313".
inline std::string grouped(Index number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t at = std::ssize(text) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

/// What both towers have: "12 x 768, 12 heads of 64, MLP 3072, quick_gelu, eps 1e-05".
template <class Tower>
std::string tower_text(const Tower& tower) {
  return std::to_string(tower.layers) + " x " + std::to_string(tower.width) + ", " + std::to_string(tower.heads) +
         " heads of " + std::to_string(tower.width / tower.heads) + ", MLP " + std::to_string(tower.mlp_width) + ", " +
         std::string(activation_name(tower.activation)) + ", eps " + io::detail::number_text(tower.eps) +
         (tower.ls_init_value ? ", LayerScale" : "");
}

/// "12 x 768", or "ResNet 3-4-6-3 x 64".
inline std::string image_tower_name(const VisionConfig& v) {
  if (!v.is_resnet()) return std::to_string(v.layers) + " x " + std::to_string(v.width);
  std::string blocks;
  for (const Index n : *v.resnet_layers) blocks += (blocks.empty() ? "" : "-") + std::to_string(n);
  return "ResNet " + blocks + " x " + std::to_string(v.width);
}

inline std::string family_name(const ClipConfig& config) {
  if (config.family == ClipConfig::Family::siglip) return "SigLIP";
  if (config.text.has_class_token()) return "CoCa";
  if (config.vision.eva02) return "EVA02";
  return config.vision.is_resnet() ? "CLIP ResNet" : "CLIP";
}

inline std::string resnet_text(const VisionConfig& v, const std::string& size) {
  return image_tower_name(v) + ", relu, batch norm with eps " + io::detail::number_text(v.eps) + ", images " + size +
         ", attention pooling over " + std::to_string(v.tokens()) + " tokens, " + std::to_string(v.heads) +
         " heads of " + std::to_string(v.resnet_features() / v.heads);
}

inline std::string vision_text(const VisionConfig& v) {
  const std::string size = std::to_string(v.image_height) + " x " + std::to_string(v.image_width);
  if (v.is_resnet()) return resnet_text(v, size);
  const std::string images = v.flexible() ? "images of any shape, at most " + std::to_string(v.max_patches) + " patches"
                                          : "images " + size + ", " + std::to_string(v.tokens()) + " tokens";
  const std::string blocks = v.eva02 ? ", rotary positions, gated MLP, inner norms" : "";
  std::string text = tower_text(v) + blocks + ", patches of " + std::to_string(v.patch_size) + ", " + images + ", ";
  switch (v.pool) {
    case VisionPool::class_token:
      return text + "pooled at the class token";
    case VisionPool::average:
      return text + (v.ln_after_pool ? "averaged, then normalised" : "normalised, then averaged");
    case VisionPool::attentional_pooler:
      return text + "attentional pooler of " + std::to_string(v.pooler_queries) + " queries (the first is used), " +
             std::to_string(v.pooler_heads) + " heads";
    case VisionPool::attention_pool:
      break;
  }
  return text + "attention pooling";
}

inline std::string text_text(const TextConfig& t) {
  std::string text = tower_text(t) + (t.causal ? ", causal, " : ", bidirectional, ") + std::to_string(t.vocab_size) +
                     " ids, " + std::to_string(t.context_length) + " tokens, pooled at ";
  switch (t.pool) {
    case TextPool::eot:
      return text + "the first id " + std::to_string(t.eot_token_id);
    case TextPool::argmax:
      return text + "the first largest id";
    case TextPool::class_token:
      return text + "a class token, padding id " + std::to_string(t.pad_token_id);
    case TextPool::last:
      break;
  }
  return text + "the last position";
}

}  // namespace detail

/// Family, towers, features and parameters of a model. `log_scale`, `bias`: its learned temperature and bias.
inline std::vector<DescriptionLine> describe_model(const ClipConfig& config, double log_scale, double bias,
                                                   std::size_t bytes_per_parameter) {
  const Index vision = parameter_count(config.vision, config.embed_dim);
  const Index text = parameter_count(config.text, config.embed_dim);
  const Index all = parameter_count(config);
  const double megabytes = static_cast<double>(all) * static_cast<double>(bytes_per_parameter) / 1e6;
  const auto rounded = [](double value) { return io::detail::number_text(std::round(value * 1e4) / 1e4); };
  return {{"family", detail::family_name(config)},
          {"image tower", detail::vision_text(config.vision)},
          {"text tower", detail::text_text(config.text)},
          {"features", std::to_string(config.embed_dim) + ", scale " + rounded(std::exp(log_scale)) +
                           (config.init_logit_bias ? ", bias " + rounded(bias) : ", no bias")},
          {"parameters", detail::grouped(all) + " (image tower " + detail::grouped(vision) + ", text tower " +
                             detail::grouped(text) + "), " + io::detail::number_text(std::round(10 * megabytes) / 10) +
                             " MB in " + (bytes_per_parameter == 8 ? "float64" : "float32")}};
}

/// The same in short.
inline std::string describe_in_short(const ClipConfig& config) {
  return detail::family_name(config) + ", image tower " + detail::image_tower_name(config.vision) + ", text tower " +
         std::to_string(config.text.layers) + " x " + std::to_string(config.text.width) + ", " +
         std::to_string(config.embed_dim) + " features, activation " +
         std::string(
             detail::activation_name(config.vision.is_resnet() ? config.text.activation : config.vision.activation));
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
