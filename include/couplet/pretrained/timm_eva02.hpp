#pragma once
/// EVA02's image towers as open_clip names them: models of timm (eva.py, 1.0.31), of which the configuration holds only
/// the name. The others of that file (eva_giant, eva02_enormous) have other blocks.
#include "couplet/pretrained/timm_siglip.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

namespace detail {

/// A tower's sizes as timm has them; open_clip builds no others.
struct TimmEva02 {
  std::string_view name;
  Index image_size, patch_size, width, layers, heads, mlp_width;
};

inline constexpr std::array timm_eva02_models{
    TimmEva02{"eva02_base_patch16_clip_224", 224, 16, 768, 12, 12, 2048},
    TimmEva02{"eva02_large_patch14_clip_224", 224, 14, 1024, 24, 16, 2730},
    TimmEva02{"eva02_large_patch14_clip_336", 336, 14, 1024, 24, 16, 2730},
};

}  // namespace detail

/// vision_cfg of a timm EVA02 tower and its tensors: sizes are those of the tensors, heads those of the name.
/// image_height and image_width are set already.
inline void read_timm_eva02(const io::JsonField& vision, const checkpoint::Checkpoint& checkpoint, VisionConfig& v) {
  const io::JsonField field = vision.at("timm_model_name");
  const std::string name = field.string();
  const detail::TimmEva02* model = nullptr;
  for (const detail::TimmEva02& each : detail::timm_eva02_models) {
    if (each.name == name) model = &each;
  }
  if (model == nullptr) field.fail("\"" + printable(name) + "\" is not supported");
  const io::JsonField pool = vision.at("timm_pool");
  if (pool.string() != "token") pool.fail(pool.value().describe() + " is not supported for EVA02, only \"token\"");
  const io::Json* const proj = vision.value().find("timm_proj");
  if (proj == nullptr || !proj->is_null()) {
    vision.fail("timm_proj: " + (proj == nullptr ? std::string("\"linear\", the default,") : proj->describe()) +
                " is not supported for EVA02, only null");
  }
  v = as_eva02(v);
  v.heads = model->heads;
  v.width = detail::extent_of(checkpoint, "visual.trunk.patch_embed.proj.weight", 4, 0);
  v.patch_size = detail::extent_of(checkpoint, "visual.trunk.patch_embed.proj.weight", 4, 3);
  v.mlp_width = detail::extent_of(checkpoint, "visual.trunk.blocks.0.mlp.fc1_x.weight", 2, 0);
  v.layers = detail::count_layers(checkpoint, "visual.trunk.blocks.", ".attn.q_proj.weight");
}

/// timm's name of a tower; empty when it has none of these sizes.
inline std::string_view timm_eva02_name(const VisionConfig& v) {
  for (const detail::TimmEva02& each : detail::timm_eva02_models) {
    const bool same = v.image_height == each.image_size && v.image_width == each.image_size &&
                      v.patch_size == each.patch_size && v.width == each.width && v.layers == each.layers &&
                      v.heads == each.heads && v.mlp_width == each.mlp_width && v.eps == 1e-6;
    if (same) return each.name;
  }
  return {};
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
