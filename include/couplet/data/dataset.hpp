#pragma once
/// The face of every data set: a number of samples with random access. Constant, so that several threads may read.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "couplet/core/error.hpp"
#include "couplet/core/shape.hpp"
#include "couplet/data/sample.hpp"

namespace couplet::inline COUPLET_ABI::data {

class Dataset {
 public:
  Dataset() = default;
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  /// The number of samples.
  [[nodiscard]] virtual Index size() const = 0;
  /// Sample i with its picture, encoded or as pixels. Thread-safe. file_error: it cannot be read.
  /// std::invalid_argument: i is not in [0, size()).
  [[nodiscard]] virtual Sample sample(Index i) const = 0;
  /// Sample i without its picture: key, captions, label. Cheap enough to walk all of a data set's words.
  [[nodiscard]] virtual Sample annotation(Index i) const = 0;
  /// The names of the classes that labels count, where the data set knows them; otherwise empty.
  [[nodiscard]] virtual std::vector<std::string> class_names() const { return {}; }
  /// False where a mirrored picture would contradict its caption ("left of").
  [[nodiscard]] virtual bool flips_allowed() const { return true; }

 protected:
  void check_index(Index i) const {
    if (i < 0 || i >= size()) {
      fail("Dataset", "expected a sample in [0, " + std::to_string(size()) + "), found " + std::to_string(i));
    }
  }
};

/// Data sets one after the other: shards.
class Concatenation final : public Dataset {
 public:
  explicit Concatenation(std::vector<std::unique_ptr<const Dataset>> parts) : parts_(std::move(parts)) {
    for (const auto& part : parts_) ends_.push_back((ends_.empty() ? 0 : ends_.back()) + part->size());
  }

  [[nodiscard]] Index size() const override { return ends_.empty() ? 0 : ends_.back(); }
  [[nodiscard]] Sample sample(Index i) const override {
    const auto [part, at] = locate(i);
    return parts_[part]->sample(at);
  }
  [[nodiscard]] Sample annotation(Index i) const override {
    const auto [part, at] = locate(i);
    return parts_[part]->annotation(at);
  }
  /// Those of the parts if all agree; otherwise none.
  [[nodiscard]] std::vector<std::string> class_names() const override {
    if (parts_.empty()) return {};
    const std::vector<std::string> names = parts_.front()->class_names();
    const bool agree =
        std::all_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part->class_names() == names; });
    return agree ? names : std::vector<std::string>{};
  }
  [[nodiscard]] bool flips_allowed() const override {
    return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->flips_allowed(); });
  }

 private:
  [[nodiscard]] std::pair<std::size_t, Index> locate(Index i) const {
    check_index(i);
    const auto part = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), i) - ends_.begin());
    return {part, part == 0 ? i : i - ends_[part - 1]};
  }

  std::vector<std::unique_ptr<const Dataset>> parts_;
  std::vector<Index> ends_;  // ends_[p]: the samples in parts 0..p
};

/// Chosen samples of a data set, in the order given: a validation split, a small trial run.
class Subset final : public Dataset {
 public:
  /// std::invalid_argument: an index is not in [0, whole->size()).
  Subset(std::shared_ptr<const Dataset> whole, std::vector<Index> indices)
      : whole_(std::move(whole)), indices_(std::move(indices)) {
    for (const Index i : indices_) {
      if (i < 0 || i >= whole_->size()) fail("Subset", "there is no sample " + std::to_string(i));
    }
  }
  /// The first `count` samples, all if there are fewer.
  Subset(std::shared_ptr<const Dataset> whole, Index count)
      : whole_(std::move(whole)), indices_(static_cast<std::size_t>(std::clamp<Index>(count, 0, whole_->size()))) {
    std::iota(indices_.begin(), indices_.end(), Index{0});
  }

  [[nodiscard]] Index size() const override { return static_cast<Index>(indices_.size()); }
  [[nodiscard]] Sample sample(Index i) const override { return whole_->sample(at(i)); }
  [[nodiscard]] Sample annotation(Index i) const override { return whole_->annotation(at(i)); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return whole_->class_names(); }
  [[nodiscard]] bool flips_allowed() const override { return whole_->flips_allowed(); }

 private:
  [[nodiscard]] Index at(Index i) const {
    check_index(i);
    return indices_[static_cast<std::size_t>(i)];
  }

  std::shared_ptr<const Dataset> whole_;
  std::vector<Index> indices_;
};

}  // namespace couplet::inline COUPLET_ABI::data
