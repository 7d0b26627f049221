#pragma once
/// What a generated scene shows and how it is told, drawn from a seed. Positions and sizes are integers in units of
/// 1/4096 of the picture's side; every draw is an integer.
#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "couplet/core/random.hpp"
#include "couplet/data/scene_shapes.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// mixed: two thirds of the scenes show one object, a sixth two to five equal ones, a sixth two that stand in a
/// relation.
enum class SceneKinds { mixed, single };

namespace detail {

inline constexpr int scene_units = 4096;

struct SceneObject {
  int color, shape;
  bool large;
  int x, y, radius;
  int angle;  ///< position in the table of rotations
  Rgb rgb;
};

enum class SceneBackground { light, gray, dark };
enum class SceneRelation { none, left_of, above };  // of objects[0] to objects[1]

struct Scene {
  std::vector<SceneObject> objects;
  SceneRelation relation = SceneRelation::none;
  SceneBackground background = SceneBackground::light;
  Rgb background_rgb{};
};

/// Uniform in [low, high].
inline int draw(Random& random, int low, int high) {
  return low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low) + 1));
}

inline Rgb jitter(Random& random, const Rgb& color, int amount) {
  Rgb out{};
  for (std::size_t c = 0; c < 3; ++c) {
    out[c] = static_cast<std::uint8_t>(std::clamp(color[c] + draw(random, -amount, amount), 0, 255));
  }
  return out;
}

inline SceneObject draw_object(Random& random, const std::vector<int>& pairs) {
  const int pair = pairs[static_cast<std::size_t>(random.below(pairs.size()))];
  SceneObject object{};
  object.color = pair / 8;
  object.shape = pair % 8;
  object.large = random.below(2) == 1;
  object.angle = draw(random, 0, 4);
  object.rgb = jitter(random, scene_color_values[static_cast<std::size_t>(object.color)], 16);
  return object;
}

/// Near the middle: a small vision transformer learns shapes in minutes only where their places vary little. (96,000
/// pairs taught a model of 1.1 M parameters 92 % of 48 classes; 26 % after half as many with objects anywhere.)
inline void place_single(Random& random, SceneObject& object) {
  object.radius = object.large ? draw(random, 1500, 1800) : draw(random, 900, 1100);
  const int free = std::min(300, scene_units / 2 - object.radius - 60);
  object.x = scene_units / 2 + draw(random, -free, free);
  object.y = scene_units / 2 + draw(random, -free, free);
}

/// Copies of the first object in different cells of a 3 x 3 grid.
inline void place_copies(Random& random, std::vector<SceneObject>& objects, int count) {
  std::array<int, 9> cells{};
  std::iota(cells.begin(), cells.end(), 0);
  objects.resize(static_cast<std::size_t>(count), objects[0]);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    std::swap(cells[i], cells[i + static_cast<std::size_t>(random.below(cells.size() - i))]);
    SceneObject& object = objects[i];
    object.radius = object.large ? draw(random, 580, 650) : draw(random, 430, 500);
    object.angle = draw(random, 0, 4);
    const int free = 670 - object.radius;
    object.x = 683 + 1365 * (cells[i] % 3) + draw(random, -free, free);
    object.y = 683 + 1365 * (cells[i] / 3) + draw(random, -free, free);
  }
}

/// Two objects side by side or one above the other, clearly apart along that axis and nearly level along the other.
inline void place_pair(Random& random, Scene& scene) {
  scene.relation = random.below(2) == 0 ? SceneRelation::left_of : SceneRelation::above;
  const int level = draw(random, 1500, scene_units - 1500);
  for (std::size_t i = 0; i < 2; ++i) {
    SceneObject& object = scene.objects[i];
    object.radius = object.large ? draw(random, 820, 920) : draw(random, 580, 700);
    const int along = 1024 + 2048 * static_cast<int>(i) + draw(random, -90, 90);
    const int across = level + draw(random, -300, 300);
    object.x = scene.relation == SceneRelation::left_of ? along : across;
    object.y = scene.relation == SceneRelation::left_of ? across : along;
  }
}

inline void draw_background(Random& random, Scene& scene) {
  static constexpr std::array<int, 3> low{215, 105, 8};
  static constexpr std::array<int, 3> high{250, 140, 40};
  const auto kind = static_cast<std::size_t>(random.below(3));
  scene.background = static_cast<SceneBackground>(kind);
  const auto level = static_cast<std::uint8_t>(draw(random, low[kind], high[kind]));
  scene.background_rgb = jitter(random, {level, level, level}, 5);
}

inline Scene draw_scene(Random& random, SceneKinds kinds, const std::vector<int>& pairs) {
  Scene scene;
  draw_background(random, scene);
  scene.objects.push_back(draw_object(random, pairs));
  const std::uint64_t kind = kinds == SceneKinds::single ? 0 : random.below(6);
  if (kind <= 3) {
    place_single(random, scene.objects[0]);
  } else if (kind == 4) {
    place_copies(random, scene.objects, draw(random, 2, 5));
  } else {
    const SceneObject first = scene.objects[0];
    SceneObject second = draw_object(random, pairs);
    while (second.color == first.color && second.shape == first.shape) second = draw_object(random, pairs);
    scene.objects.push_back(second);
    place_pair(random, scene);
  }
  return scene;
}

/// "small red circle", plural "small red circles"; the size is told or left out.
inline std::string object_words(const SceneObject& object, bool tell_size, bool plural) {
  std::string words = tell_size ? (object.large ? "large " : "small ") : "";
  words += scene_colors[static_cast<std::size_t>(object.color)];
  words += " ";
  words += scene_shapes[static_cast<std::size_t>(object.shape)];
  if (plural) words += object.shape == 5 ? "es" : "s";  // crosses
  return words;
}

/// "a green square left of a yellow ring", from either side, or "a green square and a yellow ring".
inline std::string pair_words(Random& random, const Scene& scene) {
  const bool swapped = random.below(2) == 1;
  const bool tell_size = random.below(3) == 0;
  const std::string one = "a " + object_words(scene.objects[swapped ? 1 : 0], tell_size, false);
  const std::string other = "a " + object_words(scene.objects[swapped ? 0 : 1], tell_size, false);
  const std::uint64_t wording = random.below(5);
  if (wording == 0) return one + " and " + other;
  if (scene.relation == SceneRelation::above) return one + (swapped ? " below " : " above ") + other;
  return one + (wording <= 2 ? " " : " to the ") + (swapped ? "right" : "left") + " of " + other;
}

/// One caption in the scenes' small grammar. What it says is true of the scene; what it leaves out varies.
inline std::string draw_caption(Random& random, const Scene& scene) {
  static constexpr std::array<const char*, 6> prefixes{"", "", "", "a picture of ", "an image of ", "a drawing of "};
  static constexpr std::array<const char*, 6> counts{"", "one ", "two ", "three ", "four ", "five "};
  static constexpr std::array<const char*, 3> backgrounds{"light", "gray", "dark"};
  std::string caption = prefixes[static_cast<std::size_t>(random.below(prefixes.size()))];
  if (scene.relation != SceneRelation::none) {
    caption += pair_words(random, scene);
  } else {
    const bool plural = scene.objects.size() > 1;
    const bool tell_size = random.below(2) == 1;
    const bool say_one = random.below(8) == 0;
    caption += plural || say_one ? counts[scene.objects.size()] : "a ";
    caption += object_words(scene.objects[0], tell_size, plural);
  }
  if (random.below(4) == 0) {
    caption += std::string(" on a ") + backgrounds[static_cast<std::size_t>(scene.background)] + " background";
  }
  return caption;
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::data
