#pragma once
/// A complete small model of our own making: towers with random weights, a tokenizer trained on a few words, a
/// transform. For tests of everything that sits on top of a model.
#include <string>
#include <vector>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "couplet/tokenizers/bpe_trainer.hpp"

namespace couplet::test {

inline Pretrained<float> small_bundle(bool siglip = false, std::uint64_t seed = 1) {
  ClipConfig config = preset("tiny-32");
  config.vision.patch_size = 8;
  config.vision.layers = config.text.layers = 2;
  config.vision.width = config.text.width = config.embed_dim = 64;
  config.vision.heads = config.text.heads = 2;
  config.vision.mlp_width = config.text.mlp_width = 128;
  const std::vector<std::string> captions{"a red circle", "a blue square", "two green stars above a yellow ring",
                                          "a picture of a large cyan heart left of a small purple cross"};
  const tokenizers::Tokenizer tokenizer = tokenizers::train_bpe(captions, {.vocab_size = 600});
  config.text.vocab_size = static_cast<Index>(tokenizer.vocab_size());
  config.text.bos_token_id = tokenizer.bos_token_id();
  config.text.eot_token_id = tokenizer.eos_token_id();
  config.text.pad_token_id = tokenizer.pad_token_id();
  if (siglip) config = as_siglip(config);
  Pretrained<float> bundle{
      .model = Clip<float>(config),
      .tokenizer = tokenizer.with_context_length(config.text.context_length),
      .transform = image::Transform(siglip ? image::siglip_transform_config(32) : image::clip_transform_config(32))};
  initialize(bundle.model, seed);
  return bundle;
}

/// Noise, (height 36, width 40).
inline std::vector<image::Image> random_images(std::size_t count) {
  std::vector<image::Image> images(count);
  Random random(5);
  for (image::Image& one : images) {
    one.width = 40;
    one.height = 36;
    one.pixels.resize(40 * 36 * 3);
    for (auto& value : one.pixels) value = static_cast<std::uint8_t>(random.below(256));
  }
  return images;
}

}  // namespace couplet::test
