#include "couplet/models/pictures.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;

TEST(Pictures, ASliceHasTheSamePicturesAndTheirPatches) {
  Tensor<float, 4> pixels({4, 3, 2, 2});
  Tensor<Index, 2> patches({4, 5});
  const Pictures<float> whole{pixels}, some{pixels, patches.view()};
  EXPECT_EQ(whole.slice(1, 3).extent(0), 2);
  EXPECT_EQ(whole.slice(1, 3).pixels.data(), &pixels(1, 0, 0, 0));
  EXPECT_TRUE(whole.slice(1, 3).patches.empty());
  EXPECT_EQ(some.slice(1, 3).patches.data(), &patches(1, 0));
  EXPECT_EQ(some.slice(1, 3).patches.extent(0), 2);
}

}  // namespace
