#include "couplet/eval/linear_probe.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "couplet/eval/classification.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace couplet::eval {
namespace {

std::vector<std::int64_t> labels_of(Index count, Index classes) {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i) % classes;
  return labels;
}

/// Clouds around one point per class.
Tensor<float, 2> clouds(Index count, Index classes, Index width, std::uint64_t seed) {
  const auto centres = test::random_matrix<float>(classes, width, 1);
  auto x = test::random_matrix<float>(count, width, seed, 0.3);
  for (Index i = 0; i < count; ++i) {
    for (Index k = 0; k < width; ++k) x(i, k) += centres(i % classes, k);
  }
  return x;
}

TEST(LinearProbe, TellsCloudsApartThatItHasNotSeen) {
  const Index classes = 5, width = 12;
  const auto train = clouds(1500, classes, width, 2);  // two pieces of the sums
  const LinearProbe probe(train.view(), labels_of(1500, classes), {.classes = classes});
  const auto test_features = clouds(200, classes, width, 3);
  Tensor<float, 2> logits({200, classes});
  probe.predict(test_features.view(), logits.view());
  TopKAccuracy accuracy;
  accuracy.add(logits.view(), labels_of(200, classes));
  EXPECT_GT(accuracy.top1(), 0.98);
}

// At the minimum of  |Y - X W - b|^2 / N + l2 |W|^2  the gradient vanishes.
TEST(LinearProbe, MinimisesTheRidgeLoss) {
  const Index count = 40, classes = 3, width = 6;
  const double l2 = 0.01;
  const auto x = test::random_matrix<double>(count, width, 4, 1, 0.5);
  const auto labels = labels_of(count, classes);
  const LinearProbe probe(x.view(), labels, {.classes = classes, .l2 = l2});
  Tensor<double, 2> logits({count, classes});
  probe.predict(x.view(), logits.view());
  // The weights, from the logits of unit vectors and of zero.
  Tensor<double, 2> basis({width + 1, width}), weight({width + 1, classes});
  for (Index k = 0; k < width; ++k) basis(k, k) = 1;
  probe.predict(basis.view(), weight.view());
  for (Index c = 0; c < classes; ++c) {
    double d_bias = 0;
    for (Index k = 0; k < width; ++k) {
      double d_weight = l2 * (weight(k, c) - weight(width, c));
      for (Index i = 0; i < count; ++i) {
        const double residual = logits(i, c) - (labels[static_cast<std::size_t>(i)] == c ? 1 : 0);
        d_weight += x(i, k) * residual / count;
        if (k == 0) d_bias += residual / count;
      }
      EXPECT_NEAR(d_weight, 0, 1e-13);
    }
    EXPECT_NEAR(d_bias, 0, 1e-13);
  }
}

TEST(LinearProbe, WorksWithFewerSamplesThanFeatures) {
  const auto x = test::random_matrix<float>(4, 20, 5);
  const LinearProbe probe(x.view(), labels_of(4, 2), {.classes = 2, .l2 = 1e-6});
  Tensor<float, 2> logits({4, 2});
  probe.predict(x.view(), logits.view());
  for (Index i = 0; i < 4; ++i) EXPECT_NEAR(logits(i, i % 2), 1, 1e-3);
}

TEST(LinearProbe, RefusesWhatDoesNotFit) {
  const Tensor<float, 2> x({4, 3});
  EXPECT_THROW(LinearProbe(x.view(), labels_of(3, 2), {.classes = 2}), std::invalid_argument);
  EXPECT_THROW(LinearProbe(x.view(), labels_of(4, 3), {.classes = 2}), std::invalid_argument);
  EXPECT_THROW(LinearProbe(x.view(), labels_of(4, 2), {.classes = 2, .l2 = 0}), std::invalid_argument);
  const LinearProbe probe(x.view(), labels_of(4, 2), {.classes = 2});
  Tensor<float, 2> logits({4, 3});
  EXPECT_THROW(probe.predict(x.view(), logits.view()), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::eval
