#include "couplet/ops/operand.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;

TEST(Operand, BorrowsScratchOrTheCallersMemory) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const ops::Operand<float> scratch(workspace, 3, 5);
  EXPECT_EQ(scratch.rows(), 3);
  EXPECT_EQ(scratch.columns(), 5);
  scratch.view()(2, 4) = 1.0F;
  Tensor<float, 2> own({2, 2});
  const ops::Operand<float> borrowed(own.view());
  borrowed.view()(1, 0) = 7.0F;
  EXPECT_EQ(own(1, 0), 7.0F);
}

}  // namespace
