#pragma once
/// Sizes of well-known models, by open_clip's names, for training from scratch.
#include <array>
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

}  // namespace detail

/// The configuration called `name`; throws std::invalid_argument listing the names there are.
inline ClipConfig preset(std::string_view name) {
  std::string known;
  for (const detail::Preset& p : detail::presets) {
    if (p.name != name) {
      known += (known.empty() ? "" : ", ") + std::string(p.name);
      continue;
    }
    const Index head_width = p.vision_width < 384 ? 32 : 64;
    ClipConfig config;
    config.embed_dim = p.embed_dim;
    config.vision.image_height = config.vision.image_width = p.image_size;
    config.vision.patch_size = p.patch_size;
    config.vision.width = p.vision_width;
    config.vision.layers = p.vision_layers;
    config.vision.heads = p.vision_width / head_width;
    config.vision.mlp_width = 4 * p.vision_width;
    config.text.width = p.text_width;
    config.text.layers = p.text_layers;
    config.text.heads = p.text_width / head_width;
    config.text.mlp_width = 4 * p.text_width;
    config.text.context_length = p.context_length;
    config.text.vocab_size = p.vocab_size;
    config.text.eot_token_id = config.text.pad_token_id = p.vocab_size - 1;
    config.text.bos_token_id = p.vocab_size - 2;
    return config;
  }
  fail("preset", "there is no model called \"" + std::string(name) + "\"; known: " + known);
}

}  // namespace couplet::inline COUPLET_ABI
