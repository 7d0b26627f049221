#include "couplet/image/resample.hpp"

#include <gtest/gtest.h>

namespace couplet::image {
namespace {

TEST(Resample, HasTheWeightsOfAHalvingByHand) {
  const detail::Weights bilinear(Filter::bilinear, ResizeEngine::pillow, {4, 2}, 0, 2);
  // Centre 1, support 2: samples 0, 1, 2 with triangle weights 3/4, 3/4, 1/4 over their sum 7/4.
  EXPECT_EQ(bilinear.first, (std::vector<int>{0, 1}));
  EXPECT_EQ(bilinear.size, (std::vector<int>{3, 3}));
  const std::vector<std::int32_t> expected{1797559, 1797559, 599186, 599186, 1797559, 1797559};
  EXPECT_EQ(bilinear.weights, expected);
}

TEST(Resample, WeightsOfPartsOfAnAxisAreThoseOfTheWhole) {
  for (const ResizeEngine engine : {ResizeEngine::pillow, ResizeEngine::torchvision}) {
    const detail::Weights whole(Filter::lanczos, engine, {90, 37}, 0, 37),
        part(Filter::lanczos, engine, {90, 37}, 5, 9);
    EXPECT_EQ(part.bits, whole.bits);
    for (std::size_t i = 0; i < 9; ++i) {
      ASSERT_EQ(part.first[i], whole.first[i + 5]);
      for (int k = 0; k < part.size[i]; ++k)
        EXPECT_EQ(part.weights[i * std::size_t(part.taps) + std::size_t(k)],
                  whole.weights[(i + 5) * std::size_t(whole.taps) + std::size_t(k)]);
    }
  }
}

TEST(Resample, TorchWeightsFitSixteenBits) {
  for (const auto& axis : {detail::Axis{224, 32}, {32, 224}, {100, 99}, {1, 7}, {500, 1}}) {
    const detail::Weights torch(Filter::bicubic, ResizeEngine::torchvision, axis, 0, axis.out);
    for (const std::int32_t w : torch.weights) EXPECT_TRUE(w >= -32768 && w < 32768) << axis.in << " " << axis.out;
    EXPECT_LE(torch.bits, 22);
    EXPECT_GE(torch.bits, 14);
  }
}

TEST(Resample, SumsStayInsideThirtyTwoBits) {
  for (const Filter filter : {Filter::lanczos, Filter::bilinear, Filter::bicubic, Filter::box, Filter::hamming})
    for (const auto& axis : {detail::Axis{7, 5}, {5, 7}, {2, 1000}, {1000, 3}, {333, 332}, {3, 2}, {16384, 224}}) {
      const detail::Weights w(filter, ResizeEngine::pillow, axis, 0, axis.out);
      for (std::size_t i = 0; i < w.first.size(); ++i) {
        std::int64_t positive = 1 << 21, negative = 0, sum = 0;
        for (int k = 0; k < w.size[i]; ++k) {
          const std::int64_t weight = w.weights[i * std::size_t(w.taps) + std::size_t(k)];
          sum += weight;
          (weight > 0 ? positive : negative) += 255 * weight;
        }
        EXPECT_LT(positive, std::int64_t{1} << 31);
        EXPECT_GT(negative, -(std::int64_t{1} << 31));
        EXPECT_NEAR(double(sum), double(1 << 22), w.size[i]) << name(filter);
        EXPECT_GE(w.first[i], w.lowest());
        EXPECT_LE(w.first[i] + w.size[i], w.highest());
      }
    }
}

}  // namespace
}  // namespace couplet::image
