#pragma once
/// OpenAI's state dicts come without a configuration: their models all have heads of 64, QuickGELU and eps 1e-5, and
/// the sizes can be seen in the tensors (openai/CLIP, model.py, build_model).
#include <array>
#include <cmath>
#include <string>

#include "couplet/pretrained/config_fields.hpp"
#include "couplet/pretrained/timm_siglip.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

/// Whether a file has the names of OpenAI's and open_clip's CLIP.
inline bool has_openai_names(const checkpoint::Checkpoint& checkpoint) {
  return checkpoint.find("token_embedding.weight") != nullptr && checkpoint.find("text_projection") != nullptr &&
         checkpoint.find("visual.conv1.weight") != nullptr;
}

/// Whether a file holds the three numbers that only OpenAI's own archives have beside the parameters. Without them a
/// file with the same names may be open_clip's, with another activation.
inline bool is_openai_archive(const checkpoint::Checkpoint& checkpoint) {
  return has_openai_names(checkpoint) && checkpoint.find("input_resolution") != nullptr &&
         checkpoint.find("context_length") != nullptr && checkpoint.find("vocab_size") != nullptr;
}

namespace detail {

/// The sizes of a tower's transformer, whose heads are 64 wide; `name`: a tensor with its width, for the error.
template <class Tower>
void set_openai_transformer(Tower& tower, Index width, const std::string& name, const std::string& path) {
  if (width < 64 || width % 64 != 0) {
    throw file_error(path, name + ": width " + std::to_string(width) + " is no multiple of 64");
  }
  tower.width = width;
  tower.heads = width / 64;
  tower.mlp_width = checked_multiply(4, width);
}

/// The side of a square grid with so many positions, the class token's included.
inline Index side_of(Index positions) {
  return static_cast<Index>(std::lround(std::sqrt(static_cast<double>(std::max<Index>(0, positions - 1)))));
}

inline VisionConfig openai_vit(const checkpoint::Checkpoint& checkpoint, const std::string& path) {
  VisionConfig v;
  set_openai_transformer(v, extent_of(checkpoint, "visual.conv1.weight", 4, 0), "visual.conv1.weight", path);
  v.patch_size = extent_of(checkpoint, "visual.conv1.weight", 4, 3);
  v.layers = count_layers(checkpoint, "visual.transformer.resblocks.", ".attn.in_proj_weight");
  const Index side = side_of(extent_of(checkpoint, "visual.positional_embedding", 2, 0));
  v.image_height = v.image_width = checked_multiply(side, v.patch_size);
  return v;
}

inline VisionConfig openai_resnet(const checkpoint::Checkpoint& checkpoint, const std::string& path) {
  VisionConfig v;
  v.width = extent_of(checkpoint, "visual.layer1.0.conv1.weight", 4, 0);
  if (v.width > max_resnet_width || v.width % 2 != 0) {
    throw file_error(path, "visual.layer1.0.conv1.weight: a width of " + std::to_string(v.width) +
                               ", expected an even number up to " + std::to_string(max_resnet_width));
  }
  v.heads = v.resnet_features() / 64;
  const Index side = side_of(extent_of(checkpoint, "visual.attnpool.positional_embedding", 2, 0));
  v.image_height = v.image_width = checked_multiply(side, 32);
  std::array<Index, 4> layers{};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i] = count_layers(checkpoint, "visual.layer" + std::to_string(i + 1) + ".", ".conv1.weight");
  }
  return as_resnet(v, layers);
}

}  // namespace detail

inline ClipConfig openai_config(const checkpoint::Checkpoint& checkpoint) {
  const std::string& path = checkpoint.files().front().path();
  const auto extent = [&](const char* tensor, std::size_t rank, std::size_t dimension) {
    return detail::extent_of(checkpoint, tensor, rank, dimension);
  };
  ClipConfig config;
  const bool resnet = checkpoint.find("visual.layer1.0.conv1.weight") != nullptr;
  config.vision = resnet ? detail::openai_resnet(checkpoint, path) : detail::openai_vit(checkpoint, path);
  TextConfig& t = config.text;
  detail::set_openai_transformer(t, extent("ln_final.weight", 1, 0), "ln_final.weight", path);
  t.layers = detail::count_layers(checkpoint, "transformer.resblocks.", ".attn.in_proj_weight");
  t.context_length = extent("positional_embedding", 2, 0);
  t.vocab_size = extent("token_embedding.weight", 2, 0);
  t.pool = TextPool::argmax;
  t.eot_token_id = t.vocab_size - 1;
  t.bos_token_id = t.vocab_size - 2;
  t.pad_token_id = 0;
  config.embed_dim = extent("text_projection", 2, 1);
  detail::validate_file(config, path);
  return config;
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
