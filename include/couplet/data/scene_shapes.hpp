#pragma once
/// The words of the generated scenes, colours and shapes, and the shapes as sets of points with integer coordinates, so
/// that a scene has the same bytes on every machine.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// Every name follows "a", so that a template "a {}" is English for each class.
inline constexpr std::array<const char*, 8> scene_colors = {"red",  "yellow", "green", "cyan",
                                                            "blue", "purple", "pink",  "brown"};
inline constexpr std::array<const char*, 8> scene_shapes = {"circle", "square", "triangle", "star",
                                                            "ring",   "cross",  "diamond",  "heart"};

/// Which of the 64 (colour, shape) pairs. Held out are those with (shape - colour) mod 8 in {1, 4}: two of each colour
/// and two of each shape, 16 in all. A model trained on `seen` has met each of their words, never the two together.
enum class ScenePairs { seen, held_out, all };

inline constexpr bool is_held_out(int color, int shape) {
  const int difference = (shape - color + 8) % 8;
  return difference == 1 || difference == 4;
}

/// Pairs as numbers 8 * color + shape, ascending.
inline std::vector<int> scene_pairs(ScenePairs pairs) {
  std::vector<int> chosen;
  for (int pair = 0; pair < 64; ++pair) {
    const bool held_out = is_held_out(pair / 8, pair % 8);
    if (pairs == ScenePairs::all || held_out == (pairs == ScenePairs::held_out)) chosen.push_back(pair);
  }
  return chosen;
}

/// "red circle", ... in the order of scene_pairs(): 48 seen, 16 held out, 64 in all.
inline std::vector<std::string> scene_class_names(ScenePairs pairs) {
  std::vector<std::string> names;
  for (const int pair : scene_pairs(pairs)) {
    names.push_back(std::string(scene_colors[static_cast<std::size_t>(pair / 8)]) + " " +
                    scene_shapes[static_cast<std::size_t>(pair % 8)]);
  }
  return names;
}

namespace detail {

using Rgb = std::array<std::uint8_t, 3>;

inline constexpr std::array<Rgb, 8> scene_color_values = {{{220, 40, 40},
                                                           {235, 205, 40},
                                                           {50, 165, 60},
                                                           {60, 205, 215},
                                                           {45, 80, 215},
                                                           {130, 50, 165},
                                                           {240, 130, 185},
                                                           {135, 80, 40}}};

/// Normals (cos, sin) * 1024 of the five lines of a pentagram whose upper tip points to v < 0: opposite to its tips,
/// at angles 90 + 72 k degrees.
inline constexpr std::array<std::array<int, 2>, 5> pentagram_normals = {
    {{0, 1024}, {-974, 316}, {-602, -828}, {602, -828}, {974, 316}}};

/// Whether (u, v), v downward, lies in the shape; shapes fill about [-1000, 1000]^2.
inline bool in_shape(int shape, int u, int v) {
  const int au = u < 0 ? -u : u;
  const int av = v < 0 ? -v : v;
  const int square = u * u + v * v;
  switch (shape) {
    case 0:  // circle
      return square <= 800 * 800;
    case 1:  // square
      return au <= 860 && av <= 860;
    case 2:  // triangle: (0, -900), (-940, 700), (940, 700)
      return v <= 700 && au * 1600 <= (v + 900) * 940;
    case 3: {  // star: inside at least four of the five lines at distance 1000 cos 72 degrees from the centre
      int inside = 0;
      for (const auto& normal : pentagram_normals) inside += normal[0] * u + normal[1] * v <= 309 * 1024 ? 1 : 0;
      return inside >= 4;
    }
    case 4:  // ring
      return square <= 920 * 920 && square >= 520 * 520;
    case 5:  // cross
      return (au <= 240 && av <= 920) || (av <= 240 && au <= 920);
    case 6:  // diamond: twice as high as wide, so that no turned square resembles it
      return 2 * au + av <= 1000;
    default:  // heart: two discs, the wedge below them, and what lies between
      return (au - 430) * (au - 430) + (v + 330) * (v + 330) <= 500 * 500 ||
             (v >= -18 && au * 1020 + (v - 900) * 880 <= 0) || (au <= 430 && v >= -330 && v < 0);
  }
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::data
