#pragma once
/// What a preprocessing pipeline does, as data: the fields of preprocessor_config.json under its own names.
#include <array>
#include <string>

#include "couplet/image/geometry.hpp"
#include "couplet/image/resize.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// How `size` is meant.
enum class ResizeMode {
  shortest_edge,  ///< {"shortest_edge": n}; open_clip "shortest": the short side becomes n, the ratio is kept
  squash,         ///< {"height": h, "width": w}; open_clip "squash": the ratio is lost
  longest         ///< open_clip "longest": the long side becomes n, the rest is filled
};

using Rgb = std::array<double, 3>;

inline constexpr Rgb openai_mean{0.48145466, 0.4578275, 0.40821073}, openai_std{0.26862954, 0.26130258, 0.27577711};

/// The defaults are those of CLIPImageProcessor.
struct TransformConfig {
  std::string image_processor_type = "CLIPImageProcessor";  ///< or "SiglipImageProcessor": the class written by save()
  Pipeline pipeline = Pipeline::transformers_pil;
  PassOrder pass_order = PassOrder::horizontal_first;  ///< ignored by transformers_torchvision
  bool do_resize = true;
  ResizeMode resize_mode = ResizeMode::shortest_edge;
  Size size{224, 224};  ///< shortest_edge in transformers: both hold the edge
  Filter resample = Filter::bicubic;
  bool do_center_crop = true;
  Size crop_size{224, 224};
  bool do_rescale = true;
  double rescale_factor = 1.0 / 255.0;
  bool do_normalize = true;
  Rgb image_mean = openai_mean;
  Rgb image_std = openai_std;
  int fill_color = 0;  ///< of the border that open_clip "longest" adds, before rescale and normalise

  friend bool operator==(const TransformConfig&, const TransformConfig&) = default;
};

/// CLIPImageProcessor: short side to image_size, centre crop, OpenAI's mean and std.
inline TransformConfig clip_transform_config(int image_size = 224) {
  TransformConfig config;
  config.size = config.crop_size = {image_size, image_size};
  return config;
}

/// SiglipImageProcessor: squashed to a square, no crop, mean and std 0.5.
inline TransformConfig siglip_transform_config(int image_size = 224) {
  TransformConfig config;
  config.size = {image_size, image_size};
  config.image_processor_type = "SiglipImageProcessor";
  config.resize_mode = ResizeMode::squash;
  config.do_center_crop = false;
  config.image_mean = config.image_std = {0.5, 0.5, 0.5};
  return config;
}

/// open_clip's image_transform for inference (PreprocessCfg's defaults): as CLIP, with open_clip's rounding and order.
inline TransformConfig open_clip_transform_config(Size size = {224, 224}, ResizeMode mode = ResizeMode::shortest_edge) {
  TransformConfig config;
  config.pipeline = Pipeline::open_clip;
  config.size = config.crop_size = size;
  config.resize_mode = mode;
  config.do_center_crop = mode != ResizeMode::squash;
  return config;
}

}  // namespace couplet::inline COUPLET_ABI::image
