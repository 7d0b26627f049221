#include "couplet/ops/factor.hpp"

#include <gtest/gtest.h>

#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

TEST(Factor, IsTheViewOrItsTranspose) {
  const auto matrix = test::random_matrix<double>(3, 5, 1);
  const ops::Factor<double> straight{matrix}, transposed{matrix, true};
  EXPECT_EQ(transposed.rows(), straight.columns());
  EXPECT_EQ(transposed.columns(), straight.rows());
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 5; ++j) {
      EXPECT_EQ(straight(i, j), matrix(i, j));
      EXPECT_EQ(transposed(j, i), matrix(i, j));
      EXPECT_EQ(matrix.data()[i * transposed.column_stride() + j * transposed.row_stride()], matrix(i, j));
    }
  }
}

TEST(Factor, EveryGridOfTasksCoversTheProductOnce) {
  for (const simd::Level level : simd::available_levels()) {
    const simd::GemmKernels& kernels = simd::gemm_kernels(level);
    for (const Index m : {1, 13, 14, 15, 100, 503, 504, 505, 1009, 1600}) {
      for (const Index n : {1, 31, 32, 33, 768}) {
        const ops::detail::TaskGrid grid =
            ops::detail::share_tiles({kernels.tile_rows, kernels.panel_columns, kernels.block_rows}, m, n);
        EXPECT_EQ(grid.rows % kernels.tile_rows, 0);
        EXPECT_EQ(grid.columns % kernels.panel_columns, 0);
        EXPECT_LT((grid.row_blocks - 1) * grid.rows, m);
        EXPECT_GE(grid.row_blocks * grid.rows, m);
        EXPECT_LT((grid.column_blocks - 1) * grid.columns, n);
        EXPECT_GE(grid.column_blocks * grid.columns, n);
      }
    }
  }
}

}  // namespace
