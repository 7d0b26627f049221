#include "couplet/core/tensor.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace {

using couplet::Index;
using couplet::Tensor;
using couplet::TensorView;

Tensor<float, 3> counting() {
  Tensor<float, 3> x({2, 3, 4});
  std::iota(x.data(), x.data() + x.size(), 0.0F);
  return x;
}

TEST(Tensor, IsRowMajor) {
  const Tensor<float, 3> x = counting();
  EXPECT_EQ(x(1, 2, 3), 23.0F);
  EXPECT_EQ(x(0, 1, 0), 4.0F);
  EXPECT_EQ(x.view().strides(), (couplet::Extents<3>{12, 4, 1}));
}

TEST(Tensor, ResizeKeepsMemoryThatSuffices) {
  Tensor<float, 2> x({10, 10});
  const float* before = x.data();
  x.resize({5, 20});
  EXPECT_EQ(x.data(), before);
  EXPECT_EQ(x.extent(1), 20);
}

TEST(TensorView, SlicesRowsAndColumns) {
  Tensor<float, 3> x = counting();
  const TensorView<float, 2> second = x.view()[1];
  EXPECT_EQ(second(0, 0), 12.0F);
  const TensorView<float, 2> part = second.slice(1, 3).columns(2, 4);
  EXPECT_EQ(part.extents(), (couplet::Extents<2>{2, 2}));
  EXPECT_EQ(part(1, 1), 23.0F);
  EXPECT_FALSE(part.contiguous());
  EXPECT_TRUE(second.contiguous());
}

TEST(TensorView, RefusesAStridedLastDimension) {
  float x[4] = {};
  EXPECT_THROW((TensorView<float, 2>(x, {2, 2}, {1, 2})), std::invalid_argument);
}

TEST(TensorView, OfMutableConvertsToConst) {
  Tensor<float, 2> x({2, 2});
  x(1, 0) = 5.0F;
  const TensorView<const float, 2> view = x;
  EXPECT_EQ(view(1, 0), 5.0F);
  static_assert(!std::is_convertible_v<TensorView<const float, 2>, TensorView<float, 2>>);
}

TEST(Tensor, CopyRespectsStridesAndRefusesOtherShapes) {
  Tensor<float, 3> x = counting();
  Tensor<float, 2> y({3, 2});
  couplet::copy(x.view()[0].columns(1, 3), y.view());
  EXPECT_EQ(y(2, 1), 10.0F);
  EXPECT_THROW(couplet::copy(x.view()[0], y.view()), std::invalid_argument);
}

}  // namespace
