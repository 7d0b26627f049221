#pragma once
/// Sizes of well-known models, by open_clip's names, for training from scratch.
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "couplet/models/config.hpp"

namespace couplet::inline COUPLET_ABI {

namespace detail {

struct Preset {
  std::string_view name;
  Index image_size, patch_size, vision_width, vision_layers;
  Index text_width, text_layers, context_length, vocab_size, embed_dim;
};

/// Heads are 64 wide and MLPs four times the width, except in the "tiny" models, made for the demo and for tests, whose
/// heads are 32 wide.
inline constexpr std::array presets{
    Preset{"tiny-32", 32, 4, 128, 3, 128, 2, 24, 1024, 128},
    Preset{"micro-32", 32, 8, 128, 3, 128, 2, 24, 1024, 128},
    Preset{"tiny-64", 64, 8, 128, 4, 128, 2, 24, 1024, 128},
    Preset{"small-96", 96, 12, 256, 6, 256, 4, 32, 4096, 256},
    Preset{"ViT-S-32", 224, 32, 384, 12, 384, 12, 77, 49408, 384},
    Preset{"ViT-S-16", 224, 16, 384, 12, 384, 12, 77, 49408, 384},
    Preset{"ViT-B-32", 224, 32, 768, 12, 512, 12, 77, 49408, 512},
    Preset{"ViT-B-16", 224, 16, 768, 12, 512, 12, 77, 49408, 512},
    Preset{"ViT-L-14", 224, 14, 1024, 24, 768, 12, 77, 49408, 768},
    Preset{"ViT-L-14-336", 336, 14, 1024, 24, 768, 12, 77, 49408, 768},
};

/// CLIP's ResNets; the text tower has 12 layers and heads of 64, except in the "tiny" one, made for tests.
struct ResNetPreset {
  std::string_view name;
  Index image_size;
  std::array<Index, 4> layers;
  Index width, text_width, text_layers, context_length, vocab_size, embed_dim;
};

inline constexpr std::array resnet_presets{
    ResNetPreset{"tiny-RN-64", 64, {1, 1, 1, 1}, 8, 64, 2, 24, 1024, 64},
    ResNetPreset{"RN50", 224, {3, 4, 6, 3}, 64, 512, 12, 77, 49408, 1024},
    ResNetPreset{"RN101", 224, {3, 4, 23, 3}, 64, 512, 12, 77, 49408, 512},
    ResNetPreset{"RN50x4", 288, {4, 6, 10, 6}, 80, 640, 12, 77, 49408, 640},
    ResNetPreset{"RN50x16", 384, {6, 8, 18, 8}, 96, 768, 12, 77, 49408, 768},
    ResNetPreset{"RN50x64", 448, {3, 15, 36, 10}, 128, 1024, 12, 77, 49408, 1024},
};

/// What both kinds of presets say about their texts.
template <class P>
TextConfig preset_text(const P& p, Index head_width) {
  TextConfig text;
  text.width = p.text_width;
  text.layers = p.text_layers;
  text.heads = p.text_width / head_width;
  text.mlp_width = 4 * p.text_width;
  text.context_length = p.context_length;
  text.vocab_size = p.vocab_size;
  text.eot_token_id = text.pad_token_id = p.vocab_size - 1;
  text.bos_token_id = p.vocab_size - 2;
  return text;
}

inline ClipConfig preset_config(const Preset& p) {
  const Index head_width = p.vision_width < 384 ? 32 : 64;
  ClipConfig config;
  config.embed_dim = p.embed_dim;
  config.vision.image_height = config.vision.image_width = p.image_size;
  config.vision.patch_size = p.patch_size;
  config.vision.width = p.vision_width;
  config.vision.layers = p.vision_layers;
  config.vision.heads = p.vision_width / head_width;
  config.vision.mlp_width = 4 * p.vision_width;
  config.text = preset_text(p, head_width);
  return config;
}

inline ClipConfig preset_config(const ResNetPreset& p) {
  const Index head_width = p.text_width < 384 ? 32 : 64;
  ClipConfig config;
  config.embed_dim = p.embed_dim;
  config.vision.image_height = config.vision.image_width = p.image_size;
  config.vision.width = p.width;
  config.vision.heads = config.vision.resnet_features() / head_width;
  config.vision = as_resnet(config.vision, p.layers);
  config.text = preset_text(p, head_width);
  return config;
}

}  // namespace detail

/// The configuration called `name`; throws std::invalid_argument listing the names there are.
inline ClipConfig preset(std::string_view name) {
  std::string known;
  std::optional<ClipConfig> found;
  const auto look_in = [&](const auto& presets) {
    for (const auto& p : presets) {
      known += (known.empty() ? "" : ", ") + std::string(p.name);
      if (p.name == name) found = detail::preset_config(p);
    }
  };
  look_in(detail::presets);
  look_in(detail::resnet_presets);
  if (found) return *found;
  fail("preset", "there is no model called \"" + std::string(name) + "\"; known: " + known);
}

}  // namespace couplet::inline COUPLET_ABI
