#pragma once
/// Paints a scene in integers: the share of a pixel that an object covers is counted on 4 x 4 points, and noise is
/// added from the seed.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "couplet/data/keyed_random.hpp"
#include "couplet/data/scene.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::data::detail {

inline constexpr int scene_samples = 4;  // points per pixel and axis

/// (cos, sin) * 2^14 of -6, -3, 0, 3 and 6 degrees.
inline constexpr std::array<std::array<int, 2>, 5> scene_rotations = {
    {{16294, -1713}, {16362, -857}, {16384, 0}, {16362, 857}, {16294, 1713}}};

/// The pixels of [first, first + local.size() / samples) that an object can touch along one axis, and the coordinates
/// of their points relative to its centre, in units of radius / 1024.
struct ScenePoints {
  int first = 0;
  std::vector<int> local;
};

inline ScenePoints scene_points(int size, int center, int radius) {
  // A point i of size * samples lies at (2 i + 1) / (2 size samples) of the side. Shapes reach 1.3 radii when turned.
  const std::int64_t points = std::int64_t{size} * scene_samples;
  const int reach = radius + radius / 3;
  const int first = std::clamp((center - reach) * size / scene_units, 0, size);
  const int last = std::clamp((center + reach) * size / scene_units + 1, first, size);
  ScenePoints out{first, {}};
  for (std::int64_t i = std::int64_t{first} * scene_samples; i < std::int64_t{last} * scene_samples; ++i) {
    const std::int64_t distance = (2 * i + 1) * scene_units - std::int64_t{center} * 2 * points;
    out.local.push_back(static_cast<int>(distance * 1024 / (radius * 2 * points)));
  }
  return out;
}

inline void paint_object(const SceneObject& object, image::Image& image) {
  const ScenePoints columns = scene_points(image.width, object.x, object.radius);
  const ScenePoints rows = scene_points(image.height, object.y, object.radius);
  const auto [cosine, sine] = scene_rotations[static_cast<std::size_t>(object.angle)];
  constexpr std::size_t step = scene_samples;
  constexpr int all = scene_samples * scene_samples;
  for (std::size_t y = 0; y < rows.local.size() / step; ++y) {
    for (std::size_t x = 0; x < columns.local.size() / step; ++x) {
      int covered = 0;
      for (std::size_t i = 0; i < step * step; ++i) {
        const int u = columns.local[x * step + i % step];
        const int v = rows.local[y * step + i / step];
        covered += in_shape(object.shape, (cosine * u + sine * v) / 16384, (cosine * v - sine * u) / 16384) ? 1 : 0;
      }
      const std::size_t pixel = (static_cast<std::size_t>(rows.first) + y) * static_cast<std::size_t>(image.width) +
                                static_cast<std::size_t>(columns.first) + x;
      for (std::size_t c = 0; covered > 0 && c < 3; ++c) {
        std::uint8_t& value = image.pixels[3 * pixel + c];
        value = static_cast<std::uint8_t>((value * (all - covered) + object.rgb[c] * covered + all / 2) / all);
      }
    }
  }
}

/// Adds a uniform integer in [-5, 5] to every value, clamped to [0, 255]: byte b of the draws gives b mod 11 - 5.
inline void add_noise(Random random, image::Image& image) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    bits = i % 4 == 0 ? random.bits() : bits >> 8U;
    const int noise = static_cast<int>((bits & 255U) % 11U) - 5;
    image.pixels[i] = static_cast<std::uint8_t>(std::clamp(image.pixels[i] + noise, 0, 255));
  }
}

/// (size, size) pixels.
inline image::Image render_scene(const Scene& scene, int size, const Random& noise) {
  image::Image image;
  image.width = image.height = size;
  image.pixels.resize(image::checked_bytes("render_scene", size, size, 3));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = scene.background_rgb[i % 3];
  for (const SceneObject& object : scene.objects) paint_object(object, image);
  add_noise(noise, image);
  return image;
}

}  // namespace couplet::inline COUPLET_ABI::data::detail
