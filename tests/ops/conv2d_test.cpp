#include "couplet/ops/conv2d.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using ops::Convolution;
using test::random_matrix;

constexpr Convolution convolutions[] = {
    {{2, 5, 7}, 1, 1}, {{2, 5, 7}, 3, 1}, {{2, 5, 7}, 3, 2}, {{1, 6, 4}, 3, 2}, {{2, 1, 1}, 3, 1}, {{1, 9, 8}, 5, 1},
};

/// The definition. weight: (O, k k C)
Tensor<double, 2> by_definition(const Tensor<double, 2>& x, const Convolution& conv, const Tensor<double, 2>& weight) {
  const ops::FeatureMap out = conv.output();
  const Index channels = x.extent(1), p = (conv.kernel - 1) / 2;
  Tensor<double, 2> y({out.rows(), weight.extent(0)});
  y.fill(0);
  for (Index row = 0; row < out.rows(); ++row) {
    const Index b = row / out.pixels(), i = row % out.pixels() / out.width, j = row % out.width;
    for (Index tap = 0; tap < conv.kernel * conv.kernel; ++tap) {
      const Index yy = i * conv.stride + tap / conv.kernel - p, xx = j * conv.stride + tap % conv.kernel - p;
      if (yy < 0 || yy >= conv.map.height || xx < 0 || xx >= conv.map.width) continue;
      for (Index o = 0; o < weight.extent(0); ++o) {
        for (Index c = 0; c < channels; ++c) {
          y(row, o) += weight(o, tap * channels + c) * x((b * conv.map.height + yy) * conv.map.width + xx, c);
        }
      }
    }
  }
  return y;
}

TEST(Conv2d, IsItsDefinitionOnEveryLevel) {
  test::for_each_level([](simd::Level) {
    for (const Convolution& conv : convolutions) {
      const auto x = random_matrix<double>(conv.map.rows(), 5, 1);
      const auto weight = random_matrix<double>(6, conv.kernel * conv.kernel * 5, 2);
      const Tensor<double, 2> expected = by_definition(x, conv, weight);
      Workspace workspace;
      Tensor<double, 2> y(expected.extents());
      ops::conv2d<double>(x, conv, weight, y, workspace);
      EXPECT_TRUE(test::near_relative_to_max(y, expected, 1e-14));
      Tensor<float, 2> y_float(expected.extents());
      ops::conv2d<float>(test::converted<float>(x), conv, test::converted<float>(weight), y_float, workspace);
      EXPECT_TRUE(test::near_relative_to_max(y_float, expected, 1e-6));
    }
  });
}

TEST(Conv2d, AddsBiasActivationAndWhatWasThere) {
  for (const Convolution& conv : convolutions) {
    auto x = random_matrix<double>(conv.map.rows(), 3, 1);
    const auto weight = random_matrix<double>(4, conv.kernel * conv.kernel * 3, 2);
    const auto bias = random_matrix<double>(1, 4, 3);
    const auto before = random_matrix<double>(conv.output().rows(), 4, 4);
    const Tensor<double, 2> product = by_definition(x, conv, weight);
    ops::PackedWeight<double> packed;
    packed.pack(weight);
    Tensor<double, 2> y = before;
    Workspace workspace;
    ops::conv2d_forward<double>(ops::Operand<double>(x.view()), conv, packed,
                                {.bias = bias.data(), .activation = Activation::relu, .accumulate = true}, y,
                                workspace);
    for (Index r = 0; r < y.extent(0); ++r) {
      for (Index o = 0; o < 4; ++o) {
        EXPECT_NEAR(y(r, o), before(r, o) + std::max(0.0, product(r, o) + bias(0, o)), 1e-13);
      }
    }
  }
}

TEST(Conv2d, TheWeightHasTrueGradientsThatAddUp) {
  for (const Convolution& conv : convolutions) {
    const auto x = random_matrix<double>(conv.map.rows(), 3, 1);
    auto weight = random_matrix<double>(4, conv.kernel * conv.kernel * 3, 2);
    const auto dy = random_matrix<double>(conv.output().rows(), 4, 3);
    Tensor<double, 2> y(dy.extents()), dweight(weight.extents());
    dweight.fill(0);
    Workspace workspace;
    ops::conv2d_backward_weight<double>(dy, x, conv, dweight, workspace);
    const auto loss = [&] {
      ops::conv2d<double>(x, conv, weight, y, workspace);
      return test::inner_product(test::elements(dy), test::elements(y));
    };
    EXPECT_TRUE(test::check_gradient(loss, test::elements(weight), test::elements(dweight)));
    Tensor<double, 2> twice = dweight;
    ops::conv2d_backward_weight<double>(dy, x, conv, twice, workspace);
    for (Index i = 0; i < twice.size(); ++i) EXPECT_NEAR(twice.data()[i], 2 * dweight.data()[i], 1e-12);
  }
}

/// Large enough for several blocks of patches.
TEST(Conv2d, GivesTheSameBitsAloneAndInBatchesOnAnyNumberOfThreads) {
  const Convolution conv{{3, 40, 40}, 3, 1};
  auto x = random_matrix<float>(conv.map.rows(), 64, 1);
  const auto weight = random_matrix<float>(24, 9 * 64, 2);
  const auto dy = random_matrix<float>(conv.map.rows(), 24, 3);
  ops::PackedWeight<float> packed;
  packed.pack(weight);
  Workspace workspace;
  Tensor<float, 2> all({conv.map.rows(), 24}), serial({conv.map.rows(), 24}), alone({1600, 24});
  Tensor<float, 2> dweight(weight.extents()), dweight_serial(weight.extents());
  const ops::Operand<float> operand(x.view());
  ops::conv2d_forward<float>(operand, conv, packed, {}, all, workspace);
  dweight.fill(0);
  ops::conv2d_backward_weight<float>(dy, x, conv, dweight, workspace);
  {
    const ThreadLimit limit(1);
    ops::conv2d_forward<float>(operand, conv, packed, {}, serial, workspace);
    dweight_serial.fill(0);
    ops::conv2d_backward_weight<float>(dy, x, conv, dweight_serial, workspace);
  }
  EXPECT_TRUE(test::same_bits(all, serial));
  EXPECT_TRUE(test::same_bits(dweight, dweight_serial));
  const TensorView<float, 2> second = x.view().slice(1600, 3200);
  ops::conv2d_forward<float>(ops::Operand<float>(second), {{1, 40, 40}, 3, 1}, packed, {}, alone, workspace);
  EXPECT_TRUE(test::same_bits(alone, all.view().slice(1600, 3200)));
}

TEST(Conv2d, RefusesShapesThatDoNotFit) {
  const Tensor<float, 2> x({12, 3}), even({12, 2}), weight({2, 27});
  Tensor<float, 2> y({12, 2});
  Workspace workspace;
  EXPECT_THROW(ops::conv2d<float>(x, {{1, 3, 5}, 3, 1}, weight, y, workspace), std::invalid_argument);
  EXPECT_THROW(ops::conv2d<float>(x, {{1, 3, 4}, 2, 1}, weight, y, workspace), std::invalid_argument);
  EXPECT_THROW(ops::conv2d<float>(even, {{1, 3, 4}, 3, 1}, weight, y, workspace), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
