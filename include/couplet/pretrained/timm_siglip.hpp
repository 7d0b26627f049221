#pragma once
/// SigLIP's image towers as open_clip names them: models of timm, of which the configuration holds only the name. Heads
/// and activation follow from the name as timm defines it (vision_transformer.py, 1.0.31); everything else can be seen
/// in the tensors.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "couplet/checkpoint/sharded.hpp"
#include "couplet/pretrained/config_fields.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

namespace detail {

struct TimmSiglip {
  std::string_view name;
  Index heads;
  Activation activation;
};

inline constexpr std::array timm_siglip_models{
    TimmSiglip{"vit_base_patch32_siglip_256", 12, Activation::gelu_tanh},
    TimmSiglip{"vit_base_patch16_siglip_224", 12, Activation::gelu},
    TimmSiglip{"vit_base_patch16_siglip_256", 12, Activation::gelu},
    TimmSiglip{"vit_base_patch16_siglip_384", 12, Activation::gelu},
    TimmSiglip{"vit_base_patch16_siglip_512", 12, Activation::gelu},
    TimmSiglip{"vit_large_patch16_siglip_256", 16, Activation::gelu},
    TimmSiglip{"vit_large_patch16_siglip_384", 16, Activation::gelu},
    TimmSiglip{"vit_large_patch16_siglip_512", 16, Activation::gelu_tanh},
    TimmSiglip{"vit_so400m_patch14_siglip_224", 16, Activation::gelu},
    TimmSiglip{"vit_so400m_patch14_siglip_378", 16, Activation::gelu},
    TimmSiglip{"vit_so400m_patch14_siglip_384", 16, Activation::gelu},
    TimmSiglip{"vit_so400m_patch16_siglip_256", 16, Activation::gelu_tanh},
    TimmSiglip{"vit_so400m_patch16_siglip_384", 16, Activation::gelu_tanh},
    TimmSiglip{"vit_so400m_patch16_siglip_512", 16, Activation::gelu_tanh},
    TimmSiglip{"vit_giantopt_patch16_siglip_256", 16, Activation::gelu_tanh},
    TimmSiglip{"vit_giantopt_patch16_siglip_384", 16, Activation::gelu_tanh},
};

/// One extent, in [1, max_size], of a tensor that must be there with this rank.
inline Index extent_of(const checkpoint::Checkpoint& checkpoint, const std::string& tensor, std::size_t rank,
                       std::size_t dimension) {
  const checkpoint::TensorInfo* found = checkpoint.find(tensor);
  const std::string& path = checkpoint.files().front().path();
  if (found == nullptr) throw file_error(path, tensor + ": missing");
  if (found->shape.size() != rank) {
    throw file_error(path, tensor + ": expected " + std::to_string(rank) + " dimensions, found " +
                               checkpoint::shape_text(found->shape));
  }
  const std::int64_t extent = found->shape[dimension];
  if (extent < 1 || extent > max_size) {
    throw file_error(path, tensor + ": expected extents in [1, " + std::to_string(max_size) + "], found " +
                               checkpoint::shape_text(found->shape));
  }
  return static_cast<Index>(extent);
}

/// The number of tensors called prefix + "0" + suffix, prefix + "1" + suffix, ...
inline Index count_layers(const checkpoint::Checkpoint& checkpoint, const std::string& prefix,
                          const std::string& suffix) {
  Index count = 0;
  while (checkpoint.find(prefix + std::to_string(count) + suffix) != nullptr) ++count;
  return count;
}

}  // namespace detail

/// vision_cfg of a timm SigLIP tower and its tensors; image_height and image_width are set already.
inline void read_timm_siglip(const io::JsonField& vision, const checkpoint::Checkpoint& checkpoint, VisionConfig& v) {
  const io::JsonField field = vision.at("timm_model_name");
  const std::string name = field.string();
  const detail::TimmSiglip* model = nullptr;
  for (const detail::TimmSiglip& each : detail::timm_siglip_models) {
    if (each.name == name) model = &each;
  }
  if (model == nullptr) field.fail("\"" + printable(name) + "\" is not supported");
  for (const auto& [key, value] : {std::pair{"timm_pool", "map"}, std::pair{"timm_proj", "none"}}) {
    const io::JsonField setting = vision.at(key);
    if (setting.string() == value) continue;
    setting.fail(setting.value().describe() + " is not supported for SigLIP towers, only \"" + value + "\"");
  }
  v.heads = model->heads;
  v.activation = model->activation;
  v.eps = 1e-6;
  v.width = detail::extent_of(checkpoint, "visual.trunk.patch_embed.proj.weight", 4, 0);
  v.patch_size = detail::extent_of(checkpoint, "visual.trunk.patch_embed.proj.weight", 4, 3);
  v.mlp_width = detail::extent_of(checkpoint, "visual.trunk.attn_pool.mlp.fc1.weight", 2, 0);
  v.layers = detail::count_layers(checkpoint, "visual.trunk.blocks.", ".attn.qkv.weight");
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
