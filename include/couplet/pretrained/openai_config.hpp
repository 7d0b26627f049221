#pragma once
/// OpenAI's state dicts come without a configuration: their models all have heads of 64, QuickGELU and eps 1e-5, and
/// the sizes can be seen in the tensors (openai/CLIP, model.py, build_model).
#include <cmath>

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

inline ClipConfig openai_config(const checkpoint::Checkpoint& checkpoint) {
  const std::string& path = checkpoint.files().front().path();
  if (checkpoint.find("visual.layer1.0.conv1.weight") != nullptr) {
    throw file_error(path, "visual.layer1: a ModifiedResNet image tower is not supported");
  }
  const auto extent = [&](const char* tensor, std::size_t rank, std::size_t dimension) {
    return detail::extent_of(checkpoint, tensor, rank, dimension);
  };
  ClipConfig config;
  VisionConfig& v = config.vision;
  TextConfig& t = config.text;
  v.width = extent("visual.conv1.weight", 4, 0);
  v.patch_size = extent("visual.conv1.weight", 4, 3);
  v.layers = detail::count_layers(checkpoint, "visual.transformer.resblocks.", ".attn.in_proj_weight");
  const Index patches = extent("visual.positional_embedding", 2, 0) - 1;
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(std::max<Index>(0, patches)))));
  v.image_height = v.image_width = checked_multiply(side, v.patch_size);
  t.width = extent("ln_final.weight", 1, 0);
  t.layers = detail::count_layers(checkpoint, "transformer.resblocks.", ".attn.in_proj_weight");
  t.context_length = extent("positional_embedding", 2, 0);
  t.vocab_size = extent("token_embedding.weight", 2, 0);
  t.pool = TextPool::argmax;
  t.eot_token_id = t.vocab_size - 1;
  t.bos_token_id = t.vocab_size - 2;
  t.pad_token_id = 0;
  config.embed_dim = extent("text_projection", 2, 1);
  for (const auto& [width, name] : {std::pair{v.width, "visual.conv1.weight"}, std::pair{t.width, "ln_final.weight"}}) {
    if (width < 64 || width % 64 != 0) {
      throw file_error(path, std::string(name) + ": width " + std::to_string(width) + " is no multiple of 64");
    }
  }
  v.heads = v.width / 64;
  t.heads = t.width / 64;
  v.mlp_width = checked_multiply(4, v.width);
  t.mlp_width = checked_multiply(4, t.width);
  detail::validate_file(config, path);
  return config;
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
