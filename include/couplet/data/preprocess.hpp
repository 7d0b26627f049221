#pragma once
/// From a sample to the input of an image tower: what a loader does with each picture. open_clip's preprocess_val and
/// preprocess_train.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "couplet/core/shape.hpp"
#include "couplet/data/color_jitter.hpp"
#include "couplet/data/keyed_random.hpp"
#include "couplet/data/random_affine.hpp"
#include "couplet/data/sample.hpp"
#include "couplet/image/random_crop.hpp"
#include "couplet/image/transform.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct Preprocess {
  /// H and W of every result.
  int height = 0, width = 0;
  /// How encoded pictures are decoded.
  image::DecodeOptions decode = {};
  /// Whether pictures may be mirrored: a data set can forbid it.
  bool flips = false;
  /// Writes (3, H, W) for a sample whose `image` holds its pixels. Called from several threads at once; must depend on
  /// its arguments alone. `index` is the sample's place in the data set.
  std::function<void(const Sample& sample, std::uint64_t epoch, Index index, float* out)> render = {};
};

/// The model's own transform, the same in every epoch. std::invalid_argument: the transform has no fixed size.
inline Preprocess preprocess_val(const image::Transform& transform) {
  if (transform.values() == 0) fail("preprocess_val", "the size of the transform's result depends on the picture");
  return {transform.height(), transform.width(), transform.decode_options(), false,
          [transform](const Sample& sample, std::uint64_t, Index, float* out) { transform(sample.image, out); }};
}

struct TrainAugmentation {
  std::uint64_t seed = 0;
  /// RandomResizedCrop: share of the area and ratio of the sides (open_clip's defaults).
  std::array<double, 2> scale{0.9, 1.0};
  std::array<double, 2> ratio{3.0 / 4.0, 4.0 / 3.0};
  /// Mirrors every other picture. Off: captions say left and right.
  bool flip = false;
  RandomAffine affine = {};
  ColorJitter color = {};
};

namespace detail {

inline void mirror(image::Image& image) {
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* row = image.pixels.data() + std::ptrdiff_t{3} * y * image.width;
    for (int left = 0, right = image.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + 3 * left, row + 3 * left + 3, row + 3 * right);
    }
  }
}

}  // namespace detail

/// A random crop, resized with the transform's filter, perhaps mirrored, turned and recoloured, and normalised as the
/// transform does. All of that is a function of (seed, epoch, index). std::invalid_argument: no fixed size, ranges
/// that random_crop refuses.
inline Preprocess preprocess_train(const image::Transform& transform, const TrainAugmentation& augmentation = {}) {
  if (transform.values() == 0) fail("preprocess_train", "the size of the transform's result depends on the picture");
  augmentation.affine.validate();
  augmentation.color.validate();
  image::RandomCropOptions crop;
  crop.scale = augmentation.scale;
  crop.ratio = augmentation.ratio;
  crop.resize.filter = transform.config().resample;
  crop.resize.order = transform.config().pass_order;
  image::detail::check_random_crop({}, crop);
  const image::Size size{transform.height(), transform.width()};
  const auto render = [=](const Sample& sample, std::uint64_t epoch, Index index, float* out) {
    const auto draws = [&](Purpose purpose) {
      return keyed_random(augmentation.seed, epoch, static_cast<std::uint64_t>(index), purpose);
    };
    Random random = draws(Purpose::transform);
    const bool flip = random.below(2) == 1 && augmentation.flip;
    std::array<double, image::random_crop_uniforms> uniforms{};
    for (double& uniform : uniforms) uniform = random.uniform();
    image::RandomCropOptions options = crop;
    if (sample.image.indexed) options.resize.filter = image::Filter::nearest;
    image::Image picture = image::random_resized_crop(sample.image, size, uniforms, options);
    if (flip) detail::mirror(picture);
    if (augmentation.affine.any()) random_affine(picture, augmentation.affine, draws(Purpose::affine));
    if (augmentation.color.any()) color_jitter(picture, augmentation.color, draws(Purpose::color));
    picture.alpha.clear();
    transform.normalize(picture, {out, transform.values()});
  };
  return {size.height, size.width, transform.decode_options(), augmentation.flip, render};
}

}  // namespace couplet::inline COUPLET_ABI::data
