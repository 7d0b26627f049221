#pragma once
/// Captioned scenes of coloured shapes, generated from a seed: a data set that needs no files.
///
///   SceneDataset train({.seed = 1, .count = 20'000});
///   SceneDataset test({.seed = 2, .count = 960, .pairs = ScenePairs::seen, .kinds = SceneKinds::single});
///
/// Eight colours and eight shapes, one to five objects, two sizes, relations (left of, right of, above, below), three
/// backgrounds and slight noise; captions such as "two small blue stars" or "a picture of a red ring above a green
/// heart". 16 of the 64 pairs can be held out (scene_shapes.hpp). The same bytes on every machine.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/keyed_random.hpp"
#include "couplet/data/scene.hpp"
#include "couplet/data/scene_render.hpp"
#include "couplet/data/scene_shapes.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct SceneOptions {
  /// Scene i is a function of (seed, i) and the options below. Data sets with different seeds share no scene.
  std::uint64_t seed = 0;
  Index count = 10'000;
  /// Pixels of a side, in [8, 4096].
  int image_size = 64;
  /// The pairs that may appear.
  ScenePairs pairs = ScenePairs::seen;
  SceneKinds kinds = SceneKinds::mixed;
  /// The classes that labels count; must contain the pairs. `all` asks the harder question of 64 classes.
  ScenePairs classes = pairs;
};

class SceneDataset final : public Dataset {
 public:
  /// std::invalid_argument: count or image_size out of range, pairs that are not among the classes.
  explicit SceneDataset(const SceneOptions& options)
      : options_(options), pairs_(scene_pairs(options.pairs)), classes_(scene_pairs(options.classes)) {
    if (options.count < 0) fail("SceneDataset", "count must be >= 0, found " + std::to_string(options.count));
    if (options.image_size < 8 || options.image_size > 4096) {
      fail("SceneDataset", "image_size must be in [8, 4096], found " + std::to_string(options.image_size));
    }
    if (options.classes != options.pairs && options.classes != ScenePairs::all) {
      fail("SceneDataset", "the classes must contain the pairs");
    }
  }

  [[nodiscard]] Index size() const override { return options_.count; }
  /// Scenes with one object are labelled.
  [[nodiscard]] Sample sample(Index i) const override {
    detail::Scene scene;
    Sample sample = describe(i, scene);
    sample.image = detail::render_scene(scene, options_.image_size, random(i, Purpose::noise));
    return sample;
  }
  [[nodiscard]] Sample annotation(Index i) const override {
    detail::Scene scene;
    return describe(i, scene);
  }
  [[nodiscard]] std::vector<std::string> class_names() const override { return scene_class_names(options_.classes); }
  /// False: captions say left and right.
  [[nodiscard]] bool flips_allowed() const override { return false; }
  [[nodiscard]] const SceneOptions& options() const noexcept { return options_; }

 private:
  [[nodiscard]] Random random(Index i, Purpose purpose) const {
    return keyed_random(options_.seed, 0, static_cast<std::uint64_t>(i), purpose);
  }

  Sample describe(Index i, detail::Scene& scene) const {
    check_index(i);
    Random draws = random(i, Purpose::scene);
    scene = detail::draw_scene(draws, options_.kinds, pairs_);
    Sample sample;
    sample.key = std::to_string(i);
    sample.key.insert(0, sample.key.size() < 6 ? 6 - sample.key.size() : 0, '0');
    sample.source = "scene " + sample.key;
    sample.captions.push_back(detail::draw_caption(draws, scene));
    if (scene.objects.size() == 1) {
      const int pair = 8 * scene.objects[0].color + scene.objects[0].shape;
      sample.label = std::lower_bound(classes_.begin(), classes_.end(), pair) - classes_.begin();
    }
    return sample;
  }

  SceneOptions options_;
  std::vector<int> pairs_, classes_;
};

}  // namespace couplet::inline COUPLET_ABI::data
