#include "couplet/nn/parameter.hpp"

#include <gtest/gtest.h>

namespace {

using couplet::Parameter;
using couplet::Shape;

TEST(Parameter, HasNoGradientUntilItIsTrained) {
  Parameter<float> p(Shape{2, 3});
  EXPECT_EQ(p.size(), 6);
  EXPECT_FALSE(p.has_grad());
  p.zero_grad();
  ASSERT_TRUE(p.has_grad());
  p.grad_matrix()(1, 2) = 4;
  p.zero_grad();
  EXPECT_EQ(p.grad_matrix()(1, 2), 0);
}

TEST(Parameter, FrozenOnesGetNoGradient) {
  Parameter<float> p(Shape{2});
  p.trainable = false;
  p.zero_grad();
  EXPECT_FALSE(p.has_grad());
}

TEST(Parameter, IsAMatrixOfItsFirstExtent) {
  Parameter<double> conv(Shape{4, 3, 2, 2});
  EXPECT_EQ(conv.matrix().extents(), (couplet::Extents<2>{4, 12}));
  Parameter<double> vector(Shape{5});
  EXPECT_EQ(vector.matrix().extents(), (couplet::Extents<2>{1, 5}));
  Parameter<double> scalar(Shape{});
  EXPECT_EQ(scalar.matrix().extents(), (couplet::Extents<2>{1, 1}));
}

}  // namespace
