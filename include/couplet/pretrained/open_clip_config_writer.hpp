#pragma once
/// open_clip_config.json, written: model_cfg and preprocess_cfg as open_clip's CLIP and CustomTextCLIP read them.
#include <cmath>
#include <string>

#include "couplet/image/transform_config.hpp"
#include "couplet/io/json_writer.hpp"
#include "couplet/pretrained/timm_eva02.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

/// Why open_clip's own towers cannot hold a model; empty when they can.
inline std::string open_clip_obstacle(const ClipConfig& config) {
  const VisionConfig& v = config.vision;
  const auto unknown = [](Activation kind) {
    return kind == Activation::identity || kind == Activation::relu || kind == Activation::silu;
  };
  if (unknown(config.text.activation)) return "such an activation does not exist there";
  if (v.is_resnet()) {
    if (v.image_height != v.image_width) return "images of residual networks are square there";
    return v.eps == 1e-5 ? "" : "batch norm has eps 1e-5 there";
  }
  if (v.eva02) {
    return timm_eva02_name(v).empty() ? "EVA02 image towers are models of timm there, with fixed sizes" : "";
  }
  if (v.pool == VisionPool::attention_pool) {
    return "SigLIP image towers are models of timm there, with fixed sizes and activations";
  }
  if (!v.class_token || v.patch_bias || !v.projection) return "the image tower has another structure there";
  const auto quick = [](const auto& tower) { return tower.activation == Activation::quick_gelu; };
  if (quick(v) != quick(config.text)) return "quick_gelu holds for both towers there";
  return unknown(v.activation) ? "such an activation does not exist there" : "";
}

/// Why open_clip's preprocess_cfg cannot describe a transform; empty when it can.
inline std::string open_clip_obstacle(const image::TransformConfig& transform) {
  using image::ResizeMode;
  const bool crop = transform.resize_mode != ResizeMode::squash;
  const bool factor = std::abs(transform.rescale_factor * 255.0 - 1.0) < 1e-9;
  if (!transform.do_resize || !transform.do_rescale || !transform.do_normalize || !factor) {
    return "images are always resized, divided by 255 and normalised there";
  }
  if (transform.do_center_crop != crop || (crop && transform.crop_size != transform.size)) {
    return "images are cropped to the size they were resized to there";
  }
  if (transform.resample != image::Filter::bicubic && transform.resample != image::Filter::bilinear) {
    return "images are resized by bicubic or bilinear interpolation there";
  }
  return "";
}

/// Whether the text tower belongs to CustomTextCLIP, under a name of its own, in files that couplet writes.
inline bool has_custom_text(const ClipConfig& config) {
  return config.text.projection_bias || !config.text.causal || config.text.has_class_token() || config.vision.eva02;
}

/// What text_cfg says about the tokenizer.
struct OpenClipTokenizer {
  bool from_files =
      false;  ///< the vocabulary is not OpenAI's, so open_clip must read the files beside the configuration
  std::string clean = {};  ///< tokenizer_kwargs.clean; empty: open_clip's default
};

namespace detail {

/// A ratio with which open_clip's int(width * ratio) gives mlp_width.
inline double mlp_ratio(Index width, Index mlp_width) {
  double ratio = static_cast<double>(mlp_width) / static_cast<double>(width);
  while (static_cast<Index>(static_cast<double>(width) * ratio) < mlp_width) ratio = std::nextafter(ratio, 1e9);
  return ratio;
}

/// What both towers have.
template <class Tower>
void write_open_clip_tower(io::JsonWriter& json, const Tower& tower) {
  json.key("layers").value(std::int64_t{tower.layers});
  json.key("width").value(std::int64_t{tower.width});
  if (tower.mlp_width != 4 * tower.width) json.key("mlp_ratio").value(mlp_ratio(tower.width, tower.mlp_width));
  if (tower.ls_init_value) json.key("ls_init_value").value(*tower.ls_init_value);
  if (tower.activation == Activation::gelu_tanh) {
    json.key("act_kwargs").begin_object().key("approximate").value("tanh").end_object();
  }
  if (tower.eps != 1e-5) json.key("norm_kwargs").begin_object().key("eps").value(tower.eps).end_object();
}

/// n, or [height, width].
inline void write_image_size(io::JsonWriter& json, std::int64_t height, std::int64_t width) {
  if (height == width) {
    json.value(height);
  } else {
    json.begin_array().value(height).value(width).end_array();
  }
}

inline void write_open_clip_vision(io::JsonWriter& json, const VisionConfig& v) {
  json.key("image_size");
  write_image_size(json, v.image_height, v.image_width);
  if (v.is_resnet()) {
    json.key("layers").begin_array();
    for (const Index blocks : *v.resnet_layers) json.value(std::int64_t{blocks});
    json.end_array().key("width").value(std::int64_t{v.width});
    json.key("head_width").value(std::int64_t{v.resnet_features() / v.heads}).key("patch_size").value(nullptr);
    return;
  }
  if (v.eva02) {
    json.key("timm_model_name").value(timm_eva02_name(v)).key("timm_model_pretrained").value(false);
    json.key("timm_pool").value("token").key("timm_proj").value(nullptr);
    return;
  }
  write_open_clip_tower(json, v);
  json.key("head_width").value(std::int64_t{v.width / v.heads});
  json.key("patch_size").value(std::int64_t{v.patch_size});
  if (!v.ln_pre) json.key("no_ln_pre").value(true);
  if (v.pool == VisionPool::average) json.key("pool_type").value("avg");
  if (v.ln_after_pool) json.key("final_ln_after_pool").value(true);
  if (v.pool == VisionPool::attentional_pooler) {
    json.key("attentional_pool").value(true);
    json.key("attn_pooler_queries").value(std::int64_t{v.pooler_queries});
    json.key("attn_pooler_heads").value(std::int64_t{v.pooler_heads});
  }
}

inline void write_open_clip_text(io::JsonWriter& json, const TextConfig& t, const OpenClipTokenizer& tokenizer) {
  json.key("context_length").value(std::int64_t{t.context_length});
  json.key("vocab_size").value(std::int64_t{t.vocab_size});
  json.key("heads").value(std::int64_t{t.heads});
  write_open_clip_tower(json, t);
  if (!t.causal) json.key("no_causal_mask").value(true);
  if (t.projection_bias) json.key("proj_bias").value(true);
  if (t.has_class_token()) json.key("embed_cls").value(true).key("pad_id").value(t.pad_token_id);
  if (t.pool == TextPool::last) json.key("pool_type").value("last");
  if (t.pool == TextPool::eot && t.eot_token_id != t.vocab_size - 1) {
    json.key("pool_type").value("eos").key("eos_id").value(t.eot_token_id);
  }
  if (tokenizer.from_files) json.key("hf_tokenizer_name").value(".");
  if (!tokenizer.clean.empty()) {
    json.key("tokenizer_kwargs").begin_object().key("clean").value(tokenizer.clean).end_object();
  }
}

inline void write_preprocess(io::JsonWriter& json, const image::TransformConfig& transform) {
  static constexpr const char* modes[] = {"shortest", "squash", "longest"};
  const auto rgb = [&json](const char* key, const image::Rgb& value) {
    json.key(key).begin_array().value(value[0]).value(value[1]).value(value[2]).end_array();
  };
  json.key("size");
  write_image_size(json, transform.size.height, transform.size.width);
  json.key("mode").value("RGB");
  rgb("mean", transform.image_mean);
  rgb("std", transform.image_std);
  json.key("interpolation").value(transform.resample == image::Filter::bicubic ? "bicubic" : "bilinear");
  json.key("resize_mode").value(modes[static_cast<int>(transform.resize_mode)]);
  json.key("fill_color").value(transform.fill_color);
}

}  // namespace detail

/// The text of an open_clip_config.json, for a model and a transform without open_clip_obstacle().
inline std::string open_clip_config(const ClipConfig& config, const image::TransformConfig& transform,
                                    const OpenClipTokenizer& tokenizer = {}) {
  io::JsonWriter json;
  json.begin_object().key("model_cfg").begin_object();
  json.key("embed_dim").value(std::int64_t{config.embed_dim});
  if (config.text.activation == Activation::quick_gelu) json.key("quick_gelu").value(true);
  if (has_custom_text(config)) json.key("custom_text").value(true);
  if (config.init_logit_scale != ClipConfig{}.init_logit_scale) {
    json.key("init_logit_scale").value(config.init_logit_scale);
  }
  if (config.init_logit_bias) json.key("init_logit_bias").value(*config.init_logit_bias);
  json.key("vision_cfg").begin_object();
  detail::write_open_clip_vision(json, config.vision);
  json.end_object().key("text_cfg").begin_object();
  detail::write_open_clip_text(json, config.text, tokenizer);
  json.end_object().end_object().key("preprocess_cfg").begin_object();
  detail::write_preprocess(json, transform);
  return json.end_object().end_object().str() + "\n";
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
