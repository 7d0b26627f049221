#pragma once
/// config.json of Hugging Face CLIP, SigLIP and SigLIP 2 (NaFlex) models, read and written.
///
/// An absent key takes the default of transformers' configuration classes (configuration_clip.py,
/// configuration_siglip.py), as there; a key whose value is not supported is refused by name.
#include <array>
#include <cmath>
#include <string>

#include "couplet/io/file.hpp"
#include "couplet/pretrained/config_fields.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

namespace detail {

struct ActivationName {
  std::string_view name;
  Activation activation;
};
/// The first name of each kind is the one that is written.
inline constexpr std::array activation_names{
    ActivationName{"quick_gelu", Activation::quick_gelu},
    ActivationName{"gelu", Activation::gelu},
    ActivationName{"gelu_pytorch_tanh", Activation::gelu_tanh},
    ActivationName{"gelu_new", Activation::gelu_tanh},
    ActivationName{"silu", Activation::silu},
    ActivationName{"linear", Activation::identity},
};

inline Activation activation_or(const io::JsonField& field, Activation absent) {
  const auto found = field.find("hidden_act");
  if (!found) return absent;
  const std::string text = found->string();
  for (const ActivationName& each : activation_names) {
    if (each.name == text) return each.activation;
  }
  found->fail("the activation \"" + printable(text) + "\" is not supported");
}

inline std::string_view activation_name(Activation activation) {
  for (const ActivationName& each : activation_names) {
    if (each.activation == activation) return each.name;
  }
  return "gelu";
}

/// Dropout is for training elsewhere; here it does not exist, so only 0 is understood.
inline void refuse_dropout(const io::JsonField& field) {
  const auto found = field.find("attention_dropout");
  if (found && found->number(0.0, 1.0) != 0.0) found->fail("attention dropout is not supported, only 0");
}

/// A sub-configuration; `legacy` (text_config_dict) wins where old files have both, as in transformers.
inline std::optional<io::JsonField> section(const io::JsonField& root, std::string_view key, std::string_view legacy) {
  if (auto found = root.find(legacy)) return found;
  return root.find(key);
}

/// Siglip2VisionConfig: num_patches of the position table, a square, instead of image_size. It is also the processor's
/// default for the most patches of an image.
inline void read_naflex_size(const io::JsonField& field, VisionConfig& v) {
  v.max_patches = size_or(field, "num_patches", 256, 1, 1 << 16);
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(v.max_patches))));
  if (side * side != v.max_patches) field.at("num_patches").fail("expected the square of an integer");
  v.image_height = v.image_width = side * v.patch_size;
}

inline void read_vision(const io::JsonField& field, bool siglip, bool naflex, VisionConfig& v) {
  v.width = size_or(field, "hidden_size", 768);
  v.mlp_width = size_or(field, "intermediate_size", 3072);
  v.layers = size_or(field, "num_hidden_layers", 12, 0, 4096);
  v.heads = size_or(field, "num_attention_heads", 12);
  v.channels = size_or(field, "num_channels", 3, 3, 3);
  v.image_height = v.image_width = size_or(field, "image_size", 224, 1, 16384);
  v.patch_size = size_or(field, "patch_size", siglip ? 16 : 32, 1, 16384);
  if (naflex) read_naflex_size(field, v);
  v.activation = activation_or(field, siglip ? Activation::gelu_tanh : Activation::quick_gelu);
  v.eps = number_or(field, "layer_norm_eps", siglip ? 1e-6 : 1e-5, 1e-12, 1.0);
  const auto use_head = field.find("vision_use_head");
  if (use_head && !use_head->boolean()) use_head->fail("a SigLIP image tower without its head is not supported");
  refuse_dropout(field);
}

inline void read_text(const io::JsonField& field, bool siglip, TextConfig& t) {
  t.vocab_size = size_or(field, "vocab_size", siglip ? 32000 : 49408);
  t.width = size_or(field, "hidden_size", siglip ? 768 : 512);
  t.mlp_width = size_or(field, "intermediate_size", siglip ? 3072 : 2048);
  t.layers = size_or(field, "num_hidden_layers", 12, 0, 4096);
  t.heads = size_or(field, "num_attention_heads", siglip ? 12 : 8);
  t.context_length = size_or(field, "max_position_embeddings", siglip ? 64 : 77);
  t.activation = activation_or(field, siglip ? Activation::gelu_tanh : Activation::quick_gelu);
  t.eps = number_or(field, "layer_norm_eps", siglip ? 1e-6 : 1e-5, 1e-12, 1.0);
  t.pad_token_id = id_or(field, "pad_token_id", 1);
  t.bos_token_id = id_or(field, "bos_token_id", 49406);
  t.eot_token_id = id_or(field, "eos_token_id", 49407);
  refuse_dropout(field);
  if (siglip) return;
  // Many published files say eos_token_id 2, inherited from a wrong default (transformers #24773): with OpenAI's
  // vocabulary the end of text is 49407; with another one transformers then pools at the largest id.
  const bool openai_vocabulary = t.vocab_size >= 49408 && t.vocab_size < 60000;
  if (t.eot_token_id == 2 && openai_vocabulary) t.eot_token_id = 49407;
  if (t.eot_token_id == 2) t.pool = TextPool::argmax;
}

}  // namespace detail

/// Reads the text of a config.json that lies at `path` (for error messages).
inline ClipConfig parse_hugging_face_config(std::string_view text, const std::string& path) {
  const io::JsonField root(io::Json::parse(text, path), path);
  const std::string type = root.at("model_type").string();
  const bool naflex = type == "siglip2";
  const bool siglip = naflex || type == "siglip";
  if (!siglip && type != "clip") {
    root.at("model_type")
        .fail("\"" + printable(type) + "\" is not supported; supported: \"clip\", \"siglip\", \"siglip2\"");
  }
  ClipConfig config;
  if (siglip) config = as_siglip(config);
  const io::JsonField empty(io::Json::parse("{}", path), path);
  detail::read_vision(detail::section(root, "vision_config", "vision_config_dict").value_or(empty), siglip, naflex,
                      config.vision);
  const io::JsonField text_section = detail::section(root, "text_config", "text_config_dict").value_or(empty);
  detail::read_text(text_section, siglip, config.text);
  if (siglip) {
    config.embed_dim = config.vision.width;
    const Index projection = detail::size_or(text_section, "projection_size", config.text.width);
    if (projection != config.embed_dim) {
      text_section.fail("projection_size is " + std::to_string(projection) + ", but the image features have " +
                        std::to_string(config.embed_dim) + " components");
    }
  } else {
    config.embed_dim = detail::size_or(root, "projection_dim", 512);
    config.init_logit_scale = detail::number_or(root, "logit_scale_init_value", 2.6592, -20.0, 20.0);
  }
  detail::validate_file(config, path);
  return config;
}

inline ClipConfig read_hugging_face_config(const std::string& path) {
  return parse_hugging_face_config(io::read_file(path, detail::max_config_bytes), path);
}

/// Why CLIPModel and SiglipModel of transformers cannot hold a model; empty when one of them can.
inline std::string hugging_face_obstacle(const ClipConfig& config) {
  const bool siglip = config.family == ClipConfig::Family::siglip;
  const VisionConfig& v = config.vision;
  const TextConfig& t = config.text;
  if (v.is_resnet()) return "residual networks do not exist there";
  if (v.eva02) return "EVA02 does not exist there";
  if (v.pool == VisionPool::attentional_pooler || t.has_class_token()) return "CoCa does not exist there";
  const VisionPool pool = siglip ? VisionPool::attention_pool : VisionPool::class_token;
  if (v.image_height != v.image_width) return "images are square there";
  if (v.ls_init_value || t.ls_init_value) return "blocks have no LayerScale there";
  if (v.pool != pool) return "image towers are pooled in another way there";
  if (v.class_token == siglip || v.patch_bias != siglip || v.ln_pre == siglip || v.projection == siglip) {
    return "the image tower has another structure there";
  }
  if (t.causal == siglip) return siglip ? "SigLIP texts are bidirectional there" : "CLIP texts are causal there";
  if ((t.pool == TextPool::last) != siglip) return "texts are pooled in another way there";
  if (t.projection_bias != siglip) return siglip ? "text heads have a bias there" : "projections have no bias there";
  if (config.init_logit_bias.has_value() != siglip) {
    return siglip ? "SigLIP has a logit_bias there" : "CLIP has no logit_bias there";
  }
  return "";
}

/// The text of a config.json that transformers opens with CLIPModel or SiglipModel, for a model without
/// hugging_face_obstacle(). `dtype`: "float32", "float16", ...
inline std::string hugging_face_config(const ClipConfig& config, std::string_view dtype) {
  const bool siglip = config.family == ClipConfig::Family::siglip;
  const VisionConfig& v = config.vision;
  const TextConfig& t = config.text;
  io::JsonWriter json;
  const auto tower = [&](const auto& c) {
    json.key("attention_dropout").value(0.0);
    json.key("hidden_act").value(detail::activation_name(c.activation));
    json.key("hidden_size").value(std::int64_t{c.width});
    json.key("intermediate_size").value(std::int64_t{c.mlp_width});
    json.key("layer_norm_eps").value(c.eps);
    json.key("num_attention_heads").value(std::int64_t{c.heads});
    json.key("num_hidden_layers").value(std::int64_t{c.layers});
    if (!siglip) json.key("projection_dim").value(std::int64_t{config.embed_dim});
  };
  json.begin_object();
  const std::string type = siglip ? (v.flexible() ? "siglip2" : "siglip") : "clip";
  const char* const classes[] = {"CLIPModel", "SiglipModel", "Siglip2Model"};
  json.key("architectures").begin_array().value(classes[siglip ? (v.flexible() ? 2 : 1) : 0]).end_array();
  json.key("dtype").value(dtype);
  json.key("initializer_factor").value(1.0);
  if (!siglip) json.key("logit_scale_init_value").value(config.init_logit_scale);
  json.key("model_type").value(type);
  if (!siglip) json.key("projection_dim").value(std::int64_t{config.embed_dim});
  json.key("text_config").begin_object();
  tower(t);
  json.key("bos_token_id").value(t.bos_token_id);
  json.key("eos_token_id").value(t.pool == TextPool::argmax ? std::int64_t{2} : t.eot_token_id);
  json.key("max_position_embeddings").value(std::int64_t{t.context_length});
  json.key("model_type").value(type + "_text_model");
  json.key("pad_token_id").value(t.pad_token_id);
  if (siglip) json.key("projection_size").value(std::int64_t{config.embed_dim});
  json.key("vocab_size").value(std::int64_t{t.vocab_size});
  json.end_object();
  json.key("vision_config").begin_object();
  tower(v);
  if (!v.flexible()) json.key("image_size").value(std::int64_t{v.image_height});
  json.key("model_type").value(type + "_vision_model");
  json.key("num_channels").value(std::int64_t{v.channels});
  if (v.flexible()) json.key("num_patches").value(std::int64_t{v.tokens()});
  json.key("patch_size").value(std::int64_t{v.patch_size});
  json.end_object();
  json.end_object();
  return json.str();
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
