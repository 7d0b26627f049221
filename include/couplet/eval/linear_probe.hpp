#pragma once
/// A linear classifier on frozen features, in closed form: ridge regression onto one-hot labels. Needs Eigen.
///
///   W = (X^T X / N + l2 I)^-1 X^T Y / N          b = mean(Y) - mean(X) W          logits = x W + b
/// with the columns of X and Y centred, all in double. It shows in seconds what a tower has learnt (the CLIP paper fits
/// a logistic regression for the same purpose, section 3.2). Classes are told apart by the largest logit.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "couplet/eval/eigen.hpp"

namespace couplet::inline COUPLET_ABI::eval {

struct LinearProbeOptions {
  Index classes = 0;
  double l2 = 1e-3;  ///< relative to features of about unit length
};

class LinearProbe {
 public:
  /// features: (N, E)   labels: (N), each in [0, classes)
  template <class T>
  LinearProbe(TensorView<T, 2> features, std::span<const std::int64_t> labels, LinearProbeOptions options) {
    check(features.shape(), labels, options);
    const Index width = features.extent(1);
    const auto count = static_cast<double>(labels.size());
    EigenMatrix<double> gram = EigenMatrix<double>::Zero(width, width);
    EigenMatrix<double> target = EigenMatrix<double>::Zero(width, options.classes);
    Eigen::RowVectorXd class_share = Eigen::RowVectorXd::Zero(options.classes);
    const Eigen::RowVectorXd mean = as_eigen(features).template cast<double>().colwise().sum() / count;
    constexpr Index rows_at_once = 1024;  // bounds the copies in double
    for (Index begin = 0; begin < features.extent(0); begin += rows_at_once) {
      const Index end = std::min(begin + rows_at_once, features.extent(0));
      EigenMatrix<double> rows = as_eigen(features.slice(begin, end)).template cast<double>();
      rows.rowwise() -= mean;
      gram.selfadjointView<Eigen::Lower>().rankUpdate(rows.transpose());
      for (Index r = begin; r < end; ++r) {
        const auto label = static_cast<Index>(labels[static_cast<std::size_t>(r)]);
        target.col(label) += rows.row(r - begin).transpose();
        class_share[label] += 1 / count;
      }
    }
    gram /= count;
    gram.diagonal().array() += options.l2;
    weight_ = gram.selfadjointView<Eigen::Lower>().ldlt().solve(target / count);
    bias_ = class_share - mean * weight_;
  }

  [[nodiscard]] Index classes() const { return weight_.cols(); }
  [[nodiscard]] Index width() const { return weight_.rows(); }

  /// features: (B, E)   logits: (B, classes), assigned
  template <class T>
  void predict(TensorView<T, 2> features, TensorView<std::remove_const_t<T>, 2> logits) const {
    if (features.extent(1) != width() || logits.extent(0) != features.extent(0) || logits.extent(1) != classes()) {
      fail("linear_probe", "shapes do not fit: features " + to_string(features.shape()) + ", weight " +
                               to_string(Shape{width(), classes()}) + ", logits " + to_string(logits.shape()));
    }
    const EigenMatrix<double> result = (as_eigen(features).template cast<double>() * weight_).rowwise() + bias_;
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

  EigenMatrix<double> weight_;  ///< (E, classes)
  Eigen::RowVectorXd bias_;     ///< (classes)
};

}  // namespace couplet::inline COUPLET_ABI::eval
