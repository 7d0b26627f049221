#include "couplet/ops/patch_embedding.hpp"

#include <gtest/gtest.h>

#include "support/gradient_check.hpp"

namespace couplet {
namespace {

TEST(PatchEmbedding, CutsImagesInTheOrderOfAConvolutionWeight) {
  // Two images of 3 x 5 x 7 pixels, patches of 2: a grid of 2 x 3, a line of pixels left over on two sides.
  Tensor<float, 4> pixels({2, 3, 5, 7});
  for (Index i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<float>(i);
  Tensor<float, 2> patches({12, 12});
  ops::image_to_patches<float>(pixels, 2, ops::Operand<float>(patches.view()));
  for (Index image = 0; image < 2; ++image) {
    for (Index gy = 0; gy < 2; ++gy) {
      for (Index gx = 0; gx < 3; ++gx) {
        for (Index column = 0; column < 12; ++column) {
          const Index channel = column / 4;
          const Index y = column / 2 % 2;
          const Index x = column % 2;
          EXPECT_EQ(patches((image * 2 + gy) * 3 + gx, column), pixels(image, channel, gy * 2 + y, gx * 2 + x));
        }
      }
    }
  }
}

TEST(PatchEmbedding, HasTrueGradients) {
  auto pixels = test::random_tensor<double, 4>({1, 3, 7, 6}, 1);
  const auto dpatches = test::random_matrix<double>(4, 27, 2);
  Tensor<double, 2> patches({4, 27});
  auto dpixels = test::random_tensor<double, 4>({1, 3, 7, 6}, 3);  // assigned, so what it holds does not matter
  ops::patches_to_image<double>(dpatches, 3, dpixels);
  const auto loss = [&] {
    ops::image_to_patches<double>(pixels, 3, ops::Operand<double>(patches.view()));
    return test::inner_product(test::elements(dpatches), test::elements(patches));
  };
  EXPECT_TRUE(test::check_gradient(loss, test::elements(pixels), test::elements(dpixels)));
  EXPECT_EQ(dpixels(0, 0, 6, 0), 0.0);
}

TEST(PatchEmbedding, RefusesShapesThatDoNotFit) {
  Tensor<float, 4> pixels({1, 3, 8, 8});
  Tensor<float, 2> patches({4, 47});
  const ops::Operand<float> operand(patches.view());
  EXPECT_THROW(ops::image_to_patches<float>(pixels, 4, operand), std::invalid_argument);
  EXPECT_THROW(ops::image_to_patches<float>(pixels, 0, operand), std::invalid_argument);
  EXPECT_THROW(ops::patches_to_image<float>(patches, 4, pixels), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
