#pragma once
/// A data set in the memory of a test.
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"

namespace couplet::test {

class NamedSamples : public data::Dataset {
 public:
  NamedSamples(const std::string& prefix, Index count, std::vector<std::string> classes = {}, bool flips = true)
      : classes_(std::move(classes)), flips_(flips) {
    for (Index i = 0; i < count; ++i) keys_.push_back(prefix + std::to_string(i));
  }
  [[nodiscard]] Index size() const override { return static_cast<Index>(keys_.size()); }
  [[nodiscard]] data::Sample sample(Index i) const override {
    data::Sample sample = annotation(i);
    const auto value = static_cast<std::uint8_t>(i);
    sample.image = image::Image{2, 1, {value, value, value, 7, 8, 9}};
    return sample;
  }
  [[nodiscard]] data::Sample annotation(Index i) const override {
    check_index(i);
    data::Sample sample;
    sample.key = keys_[static_cast<std::size_t>(i)];
    sample.source = "memory: " + sample.key;
    sample.captions = {"caption of " + sample.key};
    return sample;
  }
  [[nodiscard]] std::vector<std::string> class_names() const override { return classes_; }
  [[nodiscard]] bool flips_allowed() const override { return flips_; }

 private:
  std::vector<std::string> keys_, classes_;
  bool flips_;
};

}  // namespace couplet::test
