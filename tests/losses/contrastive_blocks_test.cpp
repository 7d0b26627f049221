#include "couplet/losses/contrastive_blocks.hpp"

#include <gtest/gtest.h>

#include "losses/unit_features.hpp"
#include "support/expect_near.hpp"

namespace couplet::losses::detail {
namespace {

TEST(ContrastiveBlocks, CoverEveryCombinationOnceInOrder) {
  const Index n = 4100, e = 3;
  const auto image = test::unit_rows<float>(n, e, 1);
  const auto text = test::unit_rows<float>(n, e, 2);
  const Pairs<float> pairs("test", image, text, 0, 0, Precision::float32);
  Workspace workspace;
  Index combinations = 0, true_pairs = 0, position = -1;
  for_each_block(pairs, Pass::forward, workspace, [&](const Block<float>& block) {
    EXPECT_GT(block.column * n + block.row, position) << "texts outside, images inside";
    position = block.column * n + block.row;
    EXPECT_EQ(block.text, nullptr);
    Index columns = 0;
    for (Index t = 0; t < block.tiles(); ++t) {
      EXPECT_EQ(block.tile(t).column, block.column + columns);
      EXPECT_LE(block.tile(t).columns(), tile_columns);
      columns += block.tile(t).columns();
    }
    EXPECT_EQ(columns, block.columns());
    combinations += block.rows() * columns;
    block.for_each_pair([&](Index r, Index c) {
      EXPECT_EQ(block.row + r, block.column + c);
      ++true_pairs;
    });
    const Index r = block.rows() - 1, c = block.columns() - 1;
    const auto x = image[block.row + r];
    const auto y = text[block.column + c];
    EXPECT_NEAR(block.s(r, c), x[0] * y[0] + x[1] * y[1] + x[2] * y[2], 1e-6);
  });
  EXPECT_EQ(combinations, n * n);
  EXPECT_EQ(true_pairs, n);
}

// With G = S everywhere the gradients are S Y and S^T X.
TEST(ContrastiveBlocks, AddTheGradientsOfAllBlocks) {
  const Index n = 4100, e = 3;
  const auto image = test::unit_rows<float>(n, e, 3);
  const auto text = test::unit_rows<float>(n, e, 4);
  const Pairs<float> pairs("test", image, text, 0, 0, Precision::float32);
  test::GradientMemory<float> memory(n, e);
  Workspace workspace;
  begin_gradients("test", pairs, memory.gradients);
  for_each_block(pairs, Pass::backward, workspace,
                 [&](const Block<float>& block) { add_block_gradient(pairs, block, memory.gradients, workspace); });
  // S Y = X (Y^T Y), S^T X = Y (X^T X): written out through the (E, E) matrices
  double products[2][3][3] = {};
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < e; ++k) {
      for (Index l = 0; l < e; ++l) {
        products[0][k][l] += static_cast<double>(text(i, k)) * static_cast<double>(text(i, l));
        products[1][k][l] += static_cast<double>(image(i, k)) * static_cast<double>(image(i, l));
      }
    }
  }
  Tensor<double, 2> d_image({n, e}), d_text({n, e});
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < e; ++k) {
      for (Index l = 0; l < e; ++l) {
        d_image(i, l) += static_cast<double>(image(i, k)) * products[0][k][l];
        d_text(i, l) += static_cast<double>(text(i, k)) * products[1][k][l];
      }
    }
  }
  EXPECT_TRUE(test::near_relative_to_max(memory.image, d_image, 2e-6));
  EXPECT_TRUE(test::near_relative_to_max(memory.text, d_text, 2e-6));
}

TEST(OrderedSum, AddsInTheWrittenOrder) {
  OrderedSum sum;
  for (const double term : {1.0, 1e100, 1.0, -1e100}) sum.add(term);
  EXPECT_EQ(sum.value(), 0);
}

}  // namespace
}  // namespace couplet::losses::detail
