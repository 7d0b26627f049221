#pragma once
/// Ridge regression in closed form, in double, over rows that come in pieces. Needs Eigen.
///
///   minimises  |Y - X W - b|^2 / N + l2 |W|^2        W = (cov(X) + l2 I)^-1 cov(X, Y)       b = mean(Y) - mean(X) W
#include <string>

#include "couplet/core/error.hpp"
#include "couplet/eval/eigen.hpp"

namespace couplet::inline COUPLET_ABI::eval {

class RidgeRegression {
 public:
  /// `inputs` columns of X, `targets` columns of Y.
  RidgeRegression(Index inputs, Index targets)
      : gram_(EigenMatrix<double>::Zero(inputs, inputs)),
        cross_(EigenMatrix<double>::Zero(inputs, targets)),
        x_sum_(Eigen::RowVectorXd::Zero(inputs)),
        y_sum_(Eigen::RowVectorXd::Zero(targets)) {}

  /// Some rows of X (n, inputs) and of Y (n, targets).
  void add(const EigenMatrix<double>& x, const EigenMatrix<double>& y) {
    if (x.cols() != gram_.cols() || y.cols() != cross_.cols() || x.rows() != y.rows()) {
      fail("ridge", "expected (n, " + std::to_string(gram_.cols()) + ") and (n, " + std::to_string(cross_.cols()) +
                        "), found (" + std::to_string(x.rows()) + ", " + std::to_string(x.cols()) + ") and (" +
                        std::to_string(y.rows()) + ", " + std::to_string(y.cols()) + ")");
    }
    // About the mean of the first rows: the sums stay small beside the covariances.
    if (count_ == 0) centre_ = x.colwise().mean();
    const EigenMatrix<double> centred = x.rowwise() - centre_;
    gram_.selfadjointView<Eigen::Lower>().rankUpdate(centred.transpose());
    cross_.noalias() += centred.transpose() * y;
    x_sum_ += centred.colwise().sum();
    y_sum_ += y.colwise().sum();
    count_ += static_cast<double>(x.rows());
  }

  /// The weights for the rows so far, l2 > 0.
  void solve(double l2) {
    if (!(l2 > 0)) fail("ridge", "l2 must be positive: " + std::to_string(l2));
    if (count_ == 0) fail("ridge", "no rows");
    const Eigen::RowVectorXd x_mean = x_sum_ / count_, y_mean = y_sum_ / count_;
    EigenMatrix<double> covariance = gram_ / count_;
    covariance.selfadjointView<Eigen::Lower>().rankUpdate(x_mean.transpose(), -1);
    covariance.diagonal().array() += l2;
    weight_ = covariance.selfadjointView<Eigen::Lower>().ldlt().solve(cross_ / count_ - x_mean.transpose() * y_mean);
    bias_ = y_mean - (x_mean + centre_) * weight_;
  }

  [[nodiscard]] Index inputs() const { return gram_.cols(); }
  [[nodiscard]] Index targets() const { return cross_.cols(); }

  /// X W + b, (n, targets); after solve().
  [[nodiscard]] EigenMatrix<double> predict(const EigenMatrix<double>& x) const {
    return (x * weight_).rowwise() + bias_;
  }

 private:
  EigenMatrix<double> gram_;   ///< (inputs, inputs), its lower half
  EigenMatrix<double> cross_;  ///< (inputs, targets)
  Eigen::RowVectorXd x_sum_, y_sum_, centre_;
  double count_ = 0;
  EigenMatrix<double> weight_;  ///< (inputs, targets)
  Eigen::RowVectorXd bias_;     ///< (targets)
};

}  // namespace couplet::inline COUPLET_ABI::eval
