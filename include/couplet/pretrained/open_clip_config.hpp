#pragma once
/// open_clip_config.json, read. An absent key takes the default of open_clip's CLIPVisionCfg and CLIPTextCfg (model.py,
/// 3.3), as there; a key that would make another model is refused by name and value, and so is one that is not known.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "couplet/checkpoint/sharded.hpp"
#include "couplet/io/file.hpp"
#include "couplet/pretrained/config_fields.hpp"
#include "couplet/pretrained/timm_eva02.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

/// What an open_clip directory says about its model.
struct OpenClipModel {
  ClipConfig config;
  bool timm = false;                   ///< the image tower has timm's names
  std::string clean = "";              ///< tokenizer_kwargs.clean; empty: open_clip's default
  std::string hf_tokenizer_name = "";  ///< not empty: the tokenizer is one of Hugging Face's
  bool caption_decoder = false;        ///< CoCa: the checkpoint has a decoder, too
};

namespace detail {

/// Keys of one section: those that the reader reads, and those that change nothing here (training, other towers).
struct KnownKeys {
  std::vector<std::string_view> read;
  std::vector<std::string_view> neutral;
};

/// null, false, 0, "" and [].
inline bool is_off(const io::Json& value) {
  if (value.is_number()) return value.as_number() == 0;
  if (value.is_boolean()) return !value.as_boolean();
  if (value.is_string()) return value.as_string().empty();
  return value.is_null() || (value.is_array() && value.items().empty());
}

[[noreturn]] inline void refuse(const io::JsonField& field) {
  field.fail(field.value().describe() + " is not supported");
}

/// Throws for a key that is neither known nor switched off.
inline void refuse_other_keys(const io::JsonField& section, const KnownKeys& known) {
  const auto in = [](const std::vector<std::string_view>& keys, std::string_view key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  for (const auto& [key, field] : section.members()) {
    if (!in(known.read, key) && !in(known.neutral, key) && !is_off(field.value())) refuse(field);
  }
}

inline bool flag(const io::JsonField& field, std::string_view key) {
  const auto found = field.find(key);
  return found && found->boolean();
}

/// The value of `key`, which must be one of `supported`; the first where it is absent.
inline std::string one_of(const io::JsonField& field, std::string_view key,
                          const std::vector<std::string_view>& supported) {
  const auto found = field.find(key);
  if (!found) return std::string(supported.front());
  std::string text = found->string();
  if (std::find(supported.begin(), supported.end(), text) == supported.end()) refuse(*found);
  return text;
}

/// nn.GELU, QuickGELU, or nn.GELU(approximate="tanh"), as act_kwargs says.
inline Activation open_clip_activation(const io::JsonField& tower, bool quick_gelu) {
  const auto arguments = tower.find("act_kwargs");
  if (!arguments || arguments->members().empty()) return quick_gelu ? Activation::quick_gelu : Activation::gelu;
  if (quick_gelu) arguments->fail("QuickGELU has no arguments, but quick_gelu is true");
  refuse_other_keys(*arguments, {{"approximate"}, {}});
  return one_of(*arguments, "approximate", {"none", "tanh"}) == "tanh" ? Activation::gelu_tanh : Activation::gelu;
}

inline double open_clip_eps(const io::JsonField& tower) {
  const auto arguments = tower.find("norm_kwargs");
  if (!arguments) return 1e-5;  // torch.nn.LayerNorm
  refuse_other_keys(*arguments, {{"eps"}, {}});
  return number_or(*arguments, "eps", 1e-5, 1e-12, 1.0);
}

/// int(width * mlp_ratio), with Python's double and truncation.
inline Index open_clip_mlp_width(const io::JsonField& tower, Index width) {
  const double ratio = number_or(tower, "mlp_ratio", 4.0, 1e-3, 1e3);
  return std::max<Index>(1, static_cast<Index>(static_cast<double>(width) * ratio));
}

/// What the transformers of both towers have. `width`: the default.
template <class Tower>
void read_open_clip_transformer(const io::JsonField& tower, Index width, bool quick_gelu, Tower& t) {
  t.layers = size_or(tower, "layers", 12, 0, 4096);
  t.width = size_or(tower, "width", width);
  t.mlp_width = open_clip_mlp_width(tower, t.width);
  t.activation = open_clip_activation(tower, quick_gelu);
  t.eps = open_clip_eps(tower);
  const auto layer_scale = tower.find("ls_init_value");
  t.ls_init_value = layer_scale ? std::optional<double>(layer_scale->number(-1e6, 1e6)) : std::nullopt;
}

/// n or [height, width].
inline void read_image_size(const io::JsonField& tower, VisionConfig& v) {
  v.image_height = v.image_width = 224;
  const auto found = tower.find("image_size");
  if (!found) return;
  if (!found->value().is_array()) {
    v.image_height = v.image_width = static_cast<Index>(found->integer(1, 16384));
    return;
  }
  const auto sides = found->items();
  if (sides.size() != 2) found->fail("expected [height, width], found " + std::to_string(sides.size()) + " numbers");
  v.image_height = static_cast<Index>(sides[0].integer(1, 16384));
  v.image_width = static_cast<Index>(sides[1].integer(1, 16384));
}

/// Keys of an image tower without meaning for features, or for the towers that are open_clip's own.
inline const std::vector<std::string_view>& neutral_vision_keys() {
  static const std::vector<std::string_view> keys{
      "patch_dropout", "output_tokens", "attn_pooler_queries", "attn_pooler_heads", "timm_model_pretrained",
      "timm_pool",     "timm_proj",     "timm_proj_bias",      "timm_drop",         "timm_drop_path"};
  return keys;
}

/// `layers` is a list: a ModifiedResNet, of which open_clip reads these keys alone.
inline void read_open_clip_resnet(const io::JsonField& tower, VisionConfig& v) {
  KnownKeys known{{"image_size", "layers", "width", "head_width"}, neutral_vision_keys()};
  for (const char* ignored : {"patch_size", "mlp_ratio"}) known.neutral.push_back(ignored);
  refuse_other_keys(tower, known);
  read_image_size(tower, v);
  const io::JsonField layers = tower.at("layers");
  const auto counts = layers.items();
  std::array<Index, 4> blocks{};
  if (counts.size() != blocks.size()) {
    layers.fail("expected the blocks of 4 layers, found " + std::to_string(counts.size()) + " numbers");
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<Index>(counts[i].integer(1, 4096));
  v.width = size_or(tower, "width", 768, 1, max_resnet_width);
  v.heads = v.resnet_features() / size_or(tower, "head_width", 64);
  v = as_resnet(v, blocks);
}

/// attentional_pool: true, as all published towers of CoCa have it. "parallel" and "cascade" are other towers.
inline bool reads_attentional_pool(const io::JsonField& tower) {
  const auto found = tower.find("attentional_pool");
  if (!found || is_off(found->value())) return false;
  if (!found->value().is_boolean()) refuse(*found);
  return true;
}

inline void read_open_clip_vision(const io::JsonField& tower, bool quick_gelu, VisionConfig& v) {
  refuse_other_keys(
      tower, {{"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "ls_init_value", "no_ln_pre",
               "pos_embed_type", "final_ln_after_pool", "pool_type", "act_kwargs", "norm_kwargs", "attentional_pool"},
              neutral_vision_keys()});
  read_image_size(tower, v);
  read_open_clip_transformer(tower, 768, quick_gelu, v);
  v.heads = v.width / size_or(tower, "head_width", 64);
  v.patch_size = size_or(tower, "patch_size", 16, 1, 16384);
  v.ln_pre = !flag(tower, "no_ln_pre");
  (void)one_of(tower, "pos_embed_type", {"learnable"});
  if (reads_attentional_pool(tower)) {
    (void)one_of(tower, "pool_type", {"tok"});
    v.pool = VisionPool::attentional_pooler;
    v.pooler_queries = size_or(tower, "attn_pooler_queries", 256);
    v.pooler_heads = size_or(tower, "attn_pooler_heads", 8);
    return;
  }
  const bool average = one_of(tower, "pool_type", {"tok", "avg"}) == "avg";
  v.pool = average ? VisionPool::average : VisionPool::class_token;
  v.ln_after_pool = average && flag(tower, "final_ln_after_pool");  // the class token is normalised alone either way
}

inline void read_open_clip_text(const io::JsonField& tower, bool quick_gelu, TextConfig& t) {
  refuse_other_keys(tower, {{"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "ls_init_value",
                             "pad_id", "eos_id", "no_causal_mask", "pool_type", "proj_bias", "proj_type", "act_kwargs",
                             "norm_kwargs", "embed_cls", "hf_tokenizer_name", "tokenizer_kwargs"},
                            {"tokenizer_mode", "final_ln_after_pool", "output_tokens", "hf_model_pretrained",
                             "hf_proj_type", "hf_pooler_type"}});
  t.context_length = size_or(tower, "context_length", 77);
  t.vocab_size = size_or(tower, "vocab_size", 49408);
  read_open_clip_transformer(tower, 512, quick_gelu, t);
  t.heads = size_or(tower, "heads", 8);
  t.causal = !flag(tower, "no_causal_mask");
  t.projection_bias = flag(tower, "proj_bias");
  (void)one_of(tower, "proj_type", {"linear"});
  const std::string pool = one_of(tower, "pool_type", {"argmax", "last", "eos"});
  t.pool = pool == "last" ? TextPool::last : pool == "eos" ? TextPool::eot : TextPool::argmax;
  if (flag(tower, "embed_cls")) t.pool = TextPool::class_token;  // whatever pool_type says
  t.eot_token_id = pool == "eos" ? id_or(tower, "eos_id", 2) : t.vocab_size - 1;
  t.bos_token_id = t.vocab_size - 2;
  t.pad_token_id = id_or(tower, "pad_id", 0);
}

}  // namespace detail

/// Reads the text of an open_clip_config.json that lies at `path`. The sizes of a timm tower are not in it; they are
/// those of the tensors.
inline OpenClipModel parse_open_clip_model(std::string_view text, const std::string& path,
                                           const checkpoint::Checkpoint& checkpoint) {
  const io::JsonField root(io::Json::parse(text, path), path);
  const io::JsonField model = root.at("model_cfg");
  detail::refuse_other_keys(model, {{"embed_dim", "quick_gelu", "init_logit_scale", "init_logit_bias", "vision_cfg",
                                     "text_cfg", "multimodal_cfg"},
                                    {"custom_text", "nonscalar_logit_scale", "output_dict", "cast_dtype"}});
  const bool quick_gelu = detail::flag(model, "quick_gelu");
  const io::JsonField vision = model.at("vision_cfg");
  const io::JsonField tower = model.at("text_cfg");
  OpenClipModel result;
  ClipConfig& config = result.config;
  result.timm = vision.find("timm_model_name").has_value();
  if (result.timm) {
    detail::read_image_size(vision, config.vision);
    if (vision.at("timm_model_name").string().starts_with("eva02_")) {
      read_timm_eva02(vision, checkpoint, config.vision);
    } else {
      config = as_siglip(config);
      read_timm_siglip(vision, checkpoint, config.vision);
    }
  } else if (const auto layers = vision.find("layers"); layers && layers->value().is_array()) {
    detail::read_open_clip_resnet(vision, config.vision);
  } else {
    detail::read_open_clip_vision(vision, quick_gelu, config.vision);
  }
  detail::read_open_clip_text(tower, quick_gelu, config.text);
  config.embed_dim = detail::size_or(model, "embed_dim", 512);
  config.init_logit_scale = detail::number_or(model, "init_logit_scale", ClipConfig{}.init_logit_scale, -20.0, 20.0);
  const auto bias = model.find("init_logit_bias");
  config.init_logit_bias = bias ? std::optional<double>(bias->number(-1e3, 1e3)) : std::nullopt;
  if (const auto decoder = model.find("multimodal_cfg")) {
    (void)decoder->members();  // an object: what it says is the decoder's
    result.caption_decoder = true;
  }
  if (const auto name = tower.find("hf_tokenizer_name")) result.hf_tokenizer_name = name->string();
  if (const auto arguments = tower.find("tokenizer_kwargs")) {
    if (const auto clean = arguments->find("clean")) result.clean = clean->string();
  }
  detail::validate_file(config, path);
  return result;
}

inline OpenClipModel read_open_clip_model(const std::string& path, const checkpoint::Checkpoint& checkpoint) {
  return parse_open_clip_model(io::read_file(path, detail::max_config_bytes), path, checkpoint);
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
