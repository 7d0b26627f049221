#pragma once
/// Layer-wise learning-rate decay: what lies deeper in a tower learns more slowly.
///
///   factor = decay^(layers + 1 - depth)     depth: 0 embeddings and ln_pre, i + 1 block i, layers + 1 what follows
///                                           residual networks: 0 the stem, i layer i of four
/// for a tower of `layers` blocks; logit_scale and logit_bias keep 1. Clark et al., "ELECTRA", 2020; the depths of
/// Bao et al., "BEiT", 2021.
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "couplet/core/error.hpp"
#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// By the names of Clip::visit_parameters().
class LayerDecay {
 public:
  /// std::invalid_argument: decay not in (0, 1].
  LayerDecay(double decay, Index vision_layers, Index text_layers)
      : decay_(decay), vision_layers_(vision_layers), text_layers_(text_layers) {
    if (!(decay > 0 && decay <= 1)) fail("layer_decay", "expected a factor in (0, 1], found " + std::to_string(decay));
  }

  [[nodiscard]] double operator()(std::string_view name) const {
    if (name == "logit_scale" || name == "logit_bias") return 1;
    constexpr std::string_view visual = "visual.";
    const bool vision = name.starts_with(visual);
    if (vision) name.remove_prefix(visual.size());
    const Index layers = vision ? vision_layers_ : text_layers_;
    return std::pow(decay_, static_cast<double>(layers + 1 - depth(name, layers)));
  }

 private:
  static Index depth(std::string_view name, Index layers) {
    constexpr std::string_view blocks = "transformer.resblocks.";
    if (name.starts_with(blocks)) {
      Index block = 0;
      std::from_chars(name.data() + blocks.size(), name.data() + name.size(), block);
      return block + 1;
    }
    constexpr std::string_view resnet_layer = "layer";
    if (name.starts_with(resnet_layer)) return name[resnet_layer.size()] - '0';
    for (const std::string_view first :
         {"conv", "bn", "class_embedding", "cls_emb", "positional_embedding", "token_embedding", "ln_pre"}) {
      if (name.starts_with(first)) return 0;
    }
    return layers + 1;
  }

  double decay_;
  Index vision_layers_, text_layers_;
};

}  // namespace couplet::inline COUPLET_ABI::optim
