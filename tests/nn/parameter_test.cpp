#include "couplet/nn/parameter.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

/// What Packing::only leaves: a shape, and an explanation for who wants more.
TEST(Parameter, DroppedValuesHaveASizeAndAreRefused) {
  Parameter<float> p(Shape{2, 3});
  p.zero_grad();
  p.drop();
  EXPECT_EQ(p.size(), 6);
  EXPECT_FALSE(p.has_grad());
  const Parameter<float> copied = p;
  EXPECT_THROW((void)p.value.data(), std::invalid_argument);
  EXPECT_THROW((void)p.matrix(), std::invalid_argument);
  EXPECT_THROW((void)p.grad_matrix(), std::invalid_argument);
  EXPECT_THROW(p.zero_grad(), std::invalid_argument);
  try {
    (void)copied.matrix();
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("load it with nn::Packing::kept"), std::string::npos) << error.what();
  }
  p.value.resize(6);
  EXPECT_EQ(p.matrix()(1, 2), 0);
  p = Parameter<float>(Shape{3});
  EXPECT_EQ(p.size(), 3);
  EXPECT_THROW((void)copied.vector(), std::invalid_argument);
}

TEST(Parameter, AbsentOnesAreEmptyAndNotRefused) {
  Parameter<float> none;
  none.drop();
  EXPECT_EQ(none.size(), 0);
  EXPECT_EQ(none.value.data(), nullptr);
}

TEST(Parameter, IsPackedFromWhereItsValuesWait) {
  struct Ones final : couplet::ParameterSource<float> {
    const float* read(const Parameter<float>& parameter, couplet::Index first, couplet::Index count) override {
      EXPECT_LE(first + count, parameter.size());
      ones.assign(static_cast<std::size_t>(count), 1.0F);
      return ones.data();
    }
    std::vector<float> ones;
  } source;
  Parameter<float> p(Shape{2, 3});
  p.source = &source;
  EXPECT_EQ(*p.part_to_pack(5, 1), 1);
  EXPECT_NE(p.source, nullptr);
  EXPECT_EQ(p.matrix_to_pack()(1, 2), 1);
  EXPECT_EQ(p.source, nullptr);
  EXPECT_EQ(p.matrix_to_pack()(1, 2), 0);
  EXPECT_EQ(*p.part_to_pack(5, 1), 0);
}

}  // namespace
