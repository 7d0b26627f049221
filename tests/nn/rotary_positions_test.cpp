#include "couplet/nn/rotary_positions.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;

TEST(RotaryPositions, AnglesOfRowsThenOfColumnsOnAGridOfSixteen) {
  const nn::RotaryPositions<double> positions({8, 4}, 8);
  const ops::RotaryAngles<double> angles = positions.angles();
  ASSERT_EQ(angles.cosines.extents(), (Extents<2>{33, 4}));
  for (Index p = 0; p < 4; ++p) {  // the class token
    EXPECT_EQ(angles.cosines(0, p), 1);
    EXPECT_EQ(angles.sines(0, p), 0);
  }
  const Index row = 1 + 3 * 4 + 2;  // patch (3, 2) is at (6, 8) of 16
  const double expected[] = {6.0, 6.0 / 100, 8.0, 8.0 / 100};
  for (Index p = 0; p < 4; ++p) {
    EXPECT_NEAR(angles.cosines(row, p), std::cos(expected[p]), 1e-14);
    EXPECT_NEAR(angles.sines(row, p), std::sin(expected[p]), 1e-14);
  }
}

TEST(RotaryPositions, RefusesHeadsThatDoNotDivideByFour) {
  EXPECT_THROW((nn::RotaryPositions<float>({2, 2}, 6)), std::invalid_argument);
}

}  // namespace
