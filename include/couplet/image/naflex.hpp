#pragma once
/// SigLIP 2 NaFlex: images keep their shape; each is resized to as many whole patches as a limit allows.
#include <algorithm>
#include <cmath>
#include <string>

#include "couplet/image/transform.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// (H, W) of an image for NaFlex: the largest multiples of the patch size with about its shape and at most
/// `max_patches` patches, found by the bisection of transformers' Siglip2ImageProcessor. Small images are enlarged.
inline Size naflex_size(Size image, int patch_size, int max_patches) {
  if (image.height < 1 || image.width < 1 || patch_size < 1 || max_patches < 1) {
    fail("naflex_size", "image " + shape_text(image.height, image.width) + ", patch_size " +
                            std::to_string(patch_size) + ", max_patches " + std::to_string(max_patches));
  }
  const auto patches = [patch_size](int side, double scale) {
    return std::max(1.0, std::ceil(static_cast<double>(side) * scale / patch_size));
  };
  double low = 1e-6;
  double high = 100.0;
  while (high - low >= 1e-5) {
    const double scale = (low + high) / 2;
    (patches(image.height, scale) * patches(image.width, scale) <= max_patches ? low : high) = scale;
  }
  return {static_cast<int>(patches(image.height, low)) * patch_size,
          static_cast<int>(patches(image.width, low)) * patch_size};
}

/// What a Siglip2ImageProcessor does after its choice of a size.
struct NaflexConfig {
  int patch_size = 16;
  int max_patches = 256;
  TransformConfig transform = {};  ///< without a size of its own
};

/// The processor's defaults: bilinear, mean and std 0.5.
inline NaflexConfig naflex_config(int patch_size, int max_patches) {
  NaflexConfig config{patch_size, max_patches, siglip_transform_config()};
  config.transform.image_processor_type = "Siglip2ImageProcessor";
  config.transform.do_resize = false;
  config.transform.resample = Filter::bilinear;
  return config;
}

/// The content of a preprocessor_config.json of Siglip2ImageProcessor; `defaults` where keys are absent.
inline NaflexConfig parse_naflex_config(const io::JsonField& root, NaflexConfig defaults) {
  const io::JsonField type = root.at("image_processor_type");
  if (!type.string().starts_with("Siglip2ImageProcessor")) {
    type.fail("expected Siglip2ImageProcessor, found \"" + printable(type.string()) + "\"");
  }
  for (const char* key : {"do_resize", "do_rescale", "do_normalize"}) {
    const auto flag = root.find(key);
    if (flag && !flag->boolean()) flag->fail("false is not supported");
  }
  NaflexConfig config = std::move(defaults);
  TransformConfig& t = config.transform;
  if (const auto field = root.find("patch_size")) config.patch_size = static_cast<int>(field->integer(1, 16384));
  if (const auto field = root.find("max_num_patches")) config.max_patches = static_cast<int>(field->integer(1, 65536));
  if (const auto field = root.find("resample")) t.resample = static_cast<Filter>(field->integer(0, 5));
  if (const auto field = root.find("rescale_factor")) t.rescale_factor = field->number(1e-9, 1e9);
  if (const auto field = root.find("image_mean")) t.image_mean = detail::read_rgb(*field, -1e6, 1e6);
  if (const auto field = root.find("image_std")) t.image_std = detail::read_rgb(*field, detail::smallest_std, 1e6);
  return config;
}

/// The text of that file.
inline std::string naflex_config_json(const NaflexConfig& config) {
  io::JsonWriter json;
  const auto rgb = [&json](const char* key, const Rgb& value) {
    json.key(key).begin_array().value(value[0]).value(value[1]).value(value[2]).end_array();
  };
  json.begin_object().key("do_normalize").value(true).key("do_rescale").value(true).key("do_resize").value(true);
  rgb("image_mean", config.transform.image_mean);
  json.key("image_processor_type").value("Siglip2ImageProcessor");
  rgb("image_std", config.transform.image_std);
  json.key("max_num_patches").value(config.max_patches).key("patch_size").value(config.patch_size);
  json.key("resample").value(static_cast<int>(config.transform.resample));
  json.key("rescale_factor").value(config.transform.rescale_factor);
  return json.end_object().str() + "\n";
}

/// The transform of one image: squashed to its naflex_size, then normalised.
inline Transform naflex_transform(const NaflexConfig& config, Size image) {
  TransformConfig transform = config.transform;
  transform.do_resize = true;
  transform.size = naflex_size(image, config.patch_size, config.max_patches);
  return Transform(transform);
}

}  // namespace couplet::inline COUPLET_ABI::image
