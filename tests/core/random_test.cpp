#include "couplet/core/random.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using couplet::Random;

using Block = std::array<std::uint32_t, 4>;

// Known answers of Philox4x32-10 from the Random123 distribution (kat_vectors).
TEST(Random, PhiloxGivesItsKnownAnswers) {
  EXPECT_EQ(couplet::philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffffU;
  EXPECT_EQ(couplet::philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(couplet::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DependsOnlyOnSeedStreamAndPosition) {
  Random whole(7, 3);
  std::vector<std::uint32_t> bits;
  for (int i = 0; i < 11; ++i) bits.push_back(whole.bits());
  Random later(7, 3, 6);
  for (std::size_t i = 6; i < 11; ++i) EXPECT_EQ(later.bits(), bits[i]);
  EXPECT_NE(Random(7, 4).bits(), bits[0]);
  EXPECT_NE(Random(8, 3).bits(), bits[0]);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  Random random(1);
  const int n = 200000;
  double uniform = 0;
  double normal = 0;
  double square = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    uniform += u;
    const double z = random.normal();
    normal += z;
    square += z * z;
  }
  EXPECT_NEAR(uniform / n, 0.5, 0.003);
  EXPECT_NEAR(normal / n, 0.0, 0.01);
  EXPECT_NEAR(square / n, 1.0, 0.015);
}

TEST(Random, BelowHitsEveryValueEquallyOften) {
  Random random(2);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

}  // namespace
