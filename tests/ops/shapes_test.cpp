#include "couplet/ops/shapes.hpp"

#include <gtest/gtest.h>

namespace couplet {
namespace {

TEST(Shapes, ArePrintedWithTheirNames) {
  const Tensor<float, 2> x({3, 4});
  const Tensor<double, 1> weight({5});
  EXPECT_EQ(ops::shapes_text("x", x.view(), "weight", weight.view()), "x (3, 4), weight (5)");
}

TEST(Shapes, ThatDifferAreRefusedByName) {
  const Tensor<float, 2> x({3, 4});
  const Tensor<float, 2> y({3, 5});
  EXPECT_NO_THROW(ops::require_equal_shapes("op", "x", x.view(), "x", x.view()));
  try {
    ops::require_equal_shapes("op", "x", x.view(), "y", y.view());
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[op] shapes differ: x (3, 4), y (3, 5)");
  }
}

}  // namespace
}  // namespace couplet
