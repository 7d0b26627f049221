#pragma once
/// A linear classifier on frozen features, in closed form: ridge regression onto one-hot labels. Needs Eigen.
///
/// It shows in seconds what a tower has learnt (the CLIP paper fits a logistic regression for the same purpose, section
/// 3.2). Classes are told apart by the largest logit.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "couplet/eval/ridge.hpp"

namespace couplet::inline COUPLET_ABI::eval {

struct LinearProbeOptions {
  Index classes = 0;
  double l2 = 1e-3;  ///< relative to features of about unit length
};

class LinearProbe {
 public:
  /// features: (N, E)   labels: (N), each in [0, classes)
  template <class T>
  LinearProbe(TensorView<T, 2> features, std::span<const std::int64_t> labels, LinearProbeOptions options)
      : ridge_(features.extent(1), (check(features.shape(), labels, options), options.classes)) {
    constexpr Index rows_at_once = 1024;  // bounds the copies in double
    for (Index begin = 0; begin < features.extent(0); begin += rows_at_once) {
      const Index end = std::min(begin + rows_at_once, features.extent(0));
      EigenMatrix<double> one_hot = EigenMatrix<double>::Zero(end - begin, options.classes);
      for (Index r = begin; r < end; ++r) {
        one_hot(r - begin, static_cast<Index>(labels[static_cast<std::size_t>(r)])) = 1;
      }
      ridge_.add(as_eigen(features.slice(begin, end)).template cast<double>(), one_hot);
    }
    ridge_.solve(options.l2);
  }

  [[nodiscard]] Index classes() const { return ridge_.targets(); }
  [[nodiscard]] Index width() const { return ridge_.inputs(); }

  /// features: (B, E)   logits: (B, classes), assigned
  template <class T>
  void predict(TensorView<T, 2> features, TensorView<std::remove_const_t<T>, 2> logits) const {
    if (features.extent(1) != width() || logits.extent(0) != features.extent(0) || logits.extent(1) != classes()) {
      fail("linear_probe", "shapes do not fit: features " + to_string(features.shape()) + ", weight " +
                               to_string(Shape{width(), classes()}) + ", logits " + to_string(logits.shape()));
    }
    const EigenMatrix<double> result = ridge_.predict(as_eigen(features).template cast<double>());
    as_eigen(logits) = result.template cast<std::remove_const_t<T>>();
  }

 private:
  static void check(const Shape& features, std::span<const std::int64_t> labels, const LinearProbeOptions& options) {
    if (labels.empty() || features[0] != static_cast<Index>(labels.size())) {
      fail("linear_probe", "features " + to_string(features) + ", but " + std::to_string(labels.size()) + " labels");
    }
    if (!(options.l2 > 0)) fail("linear_probe", "l2 must be positive: " + std::to_string(options.l2));
    for (const std::int64_t label : labels) {
      if (label < 0 || label >= options.classes) {
        fail("linear_probe",
             "label " + std::to_string(label) + " is not one of " + std::to_string(options.classes) + " classes");
      }
    }
  }

  RidgeRegression ridge_;
};

}  // namespace couplet::inline COUPLET_ABI::eval
