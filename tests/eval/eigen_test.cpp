#include "couplet/eval/eigen.hpp"

#include <gtest/gtest.h>

#include "support/random_tensor.hpp"

namespace couplet::eval {
namespace {

TEST(AsEigen, SharesTheMemoryOfAMatrix) {
  Tensor<float, 2> x({2, 3});
  auto matrix = as_eigen(x.view());
  matrix(1, 2) = 5;
  EXPECT_EQ(x(1, 2), 5);
  EXPECT_EQ(matrix.rows(), 2);
  EXPECT_EQ(matrix.cols(), 3);
}

TEST(AsEigen, FollowsTheStrideOfASlice) {
  const auto x = test::random_matrix<double>(4, 7, 1);
  const TensorView<const double, 2> part = x.view().slice(1, 4).columns(2, 5);
  const auto matrix = as_eigen(part);
  for (Index r = 0; r < 3; ++r) {
    for (Index c = 0; c < 3; ++c) EXPECT_EQ(matrix(r, c), part(r, c));
  }
}

TEST(AsEigen, MakesAVectorAColumn) {
  Tensor<double, 1> x({3});
  as_eigen(x.view()) << 1, 2, 3;
  EXPECT_EQ(x[2], 3);
  EXPECT_EQ(as_eigen(x.view()).dot(as_eigen(x.view())), 14);
}

}  // namespace
}  // namespace couplet::eval
