#pragma once
/// How each checkpoint layout names the parameters, kept as data.
///
/// Inside, names are open_clip's. A layout is a list of replacements of name fragments, applied in order. "{qkv}" in a
/// replacement means that the file holds the three row blocks of in_proj_weight (or in_proj_bias) as three tensors.
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

struct Rename {
  std::string_view inside;  ///< a fragment of a name inside couplet; a leading '^' ties it to the beginning
  std::string_view file;
};

/// Hugging Face CLIPModel and SiglipModel (transformers, modeling_clip.py and modeling_siglip.py). "pre_layrnorm" is
/// spelled so there.
inline constexpr std::array hugging_face_names{
    Rename{"^visual.conv1.", "vision_model.embeddings.patch_embedding."},
    Rename{"^visual.class_embedding", "vision_model.embeddings.class_embedding"},
    Rename{"^visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
    Rename{"^visual.ln_pre.", "vision_model.pre_layrnorm."},
    Rename{"^visual.ln_post.", "vision_model.post_layernorm."},
    Rename{"^visual.proj.", "visual_projection."},
    Rename{"^visual.attn_pool.attn.", "vision_model.head.attention."},
    Rename{"^visual.attn_pool.ln.", "vision_model.head.layernorm."},
    Rename{"^visual.attn_pool.", "vision_model.head."},
    Rename{"^visual.transformer.resblocks.", "vision_model.encoder.layers."},
    Rename{"^token_embedding.", "text_model.embeddings.token_embedding."},
    Rename{"^positional_embedding", "text_model.embeddings.position_embedding.weight"},
    Rename{"^transformer.resblocks.", "text_model.encoder.layers."},
    Rename{"^ln_final.", "text_model.final_layer_norm."},
    Rename{".ln_1.", ".layer_norm1."},
    Rename{".ln_2.", ".layer_norm2."},
    Rename{".attn.in_proj_weight", ".self_attn.{qkv}_proj.weight"},
    Rename{".attn.in_proj_bias", ".self_attn.{qkv}_proj.bias"},
    Rename{".attn.out_proj.", ".self_attn.out_proj."},
    Rename{".mlp.c_fc.", ".mlp.fc1."},
    Rename{".mlp.c_proj.", ".mlp.fc2."},
};

/// SiglipModel calls the text projection a head; everything else as above.
inline constexpr std::array hugging_face_siglip_names{
    Rename{"^text_projection.", "text_model.head."},
};

/// Applies the first rule of each kind that fits.
inline std::string rename(std::string name, std::span<const Rename> rules) {
  for (const Rename& rule : rules) {
    const bool anchored = rule.inside.front() == '^';
    const std::string_view fragment = anchored ? rule.inside.substr(1) : rule.inside;
    const std::size_t at = name.find(fragment);
    if (at == std::string::npos || (anchored && at != 0)) continue;
    name.replace(at, fragment.size(), rule.file);
  }
  return name;
}

/// The tensors of a Hugging Face file that hold one parameter: one, or three of equal height to be stacked.
inline std::vector<std::string> hugging_face_tensors(std::string_view parameter, bool siglip) {
  std::string name(parameter);
  if (siglip) name = rename(std::move(name), hugging_face_siglip_names);
  name = rename(std::move(name), hugging_face_names);
  constexpr std::string_view mark = "{qkv}";
  const std::size_t at = name.find(mark);
  if (at == std::string::npos) return {name};
  std::vector<std::string> parts;
  for (const char* letter : {"q", "k", "v"}) parts.push_back(std::string(name).replace(at, mark.size(), letter));
  return parts;
}

}  // namespace couplet::inline COUPLET_ABI::checkpoint
