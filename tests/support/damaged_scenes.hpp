#pragma once
/// Generated scenes of 32 x 32 pixels of which every tenth, from number 4, cannot be decoded.
#include <string>

#include "couplet/data/scenes.hpp"

namespace couplet::test {

class DamagedScenes final : public data::Dataset {
 public:
  explicit DamagedScenes(Index count) : scenes_(data::SceneOptions{.seed = 1, .count = count, .image_size = 32}) {}
  [[nodiscard]] Index size() const override { return scenes_.size(); }
  [[nodiscard]] data::Sample sample(Index i) const override {
    data::Sample s = scenes_.sample(i);
    if (i % 10 == 4) {
      s.source = "damaged picture " + std::to_string(i);
      s.image_bytes = "not a picture";
      s.image = {};
    }
    return s;
  }
  [[nodiscard]] data::Sample annotation(Index i) const override { return scenes_.annotation(i); }

 private:
  data::SceneDataset scenes_;
};

}  // namespace couplet::test
