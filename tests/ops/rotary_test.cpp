#include "couplet/ops/rotary.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"

namespace couplet {
namespace {

constexpr std::array<Index, 3> some_offsets{0, 3, 5};

/// Angles of 3 places and 2 pairs, that is heads of width 4.
struct Rotation {
  Rotation() {
    for (Index t = 0; t < 3; ++t) {
      for (Index p = 0; p < 2; ++p) {
        const double angle = static_cast<double>(t) * (p == 0 ? 1.0 : 0.3);
        cosines(t, p) = std::cos(angle);
        sines(t, p) = std::sin(angle);
      }
    }
  }
  [[nodiscard]] ops::RotaryAngles<double> angles() const { return {cosines, sines}; }
  Tensor<double, 2> cosines{{3, 2}}, sines{{3, 2}};
};

TEST(Rotary, TurnsPairsOfEachHeadByTheAngleOfTheirPlace) {
  const Rotation rotation;
  const auto before = test::random_matrix<double>(5, 8, 1);
  Tensor<double, 2> x = before;
  ops::rotary_forward(rotation.angles(), Sequences(some_offsets), x.view());
  const Index places[] = {0, 1, 2, 0, 1};
  for (Index r = 0; r < 5; ++r) {
    for (Index pair = 0; pair < 4; ++pair) {
      const double angle = static_cast<double>(places[r]) * (pair % 2 == 0 ? 1.0 : 0.3);
      const double a = before(r, 2 * pair), b = before(r, 2 * pair + 1);
      EXPECT_NEAR(x(r, 2 * pair), a * std::cos(angle) - b * std::sin(angle), 1e-15);
      EXPECT_NEAR(x(r, 2 * pair + 1), a * std::sin(angle) + b * std::cos(angle), 1e-15);
    }
  }
}

TEST(Rotary, HasTrueGradients) {
  const Rotation rotation;
  auto x = test::random_matrix<double>(5, 8, 1);
  const auto dy = test::random_matrix<double>(5, 8, 2);
  const auto loss = [&] {
    Tensor<double, 2> y = x;
    ops::rotary_forward(rotation.angles(), Sequences(some_offsets), y.view());
    return test::inner_product(test::elements(dy), test::elements(y));
  };
  Tensor<double, 2> dx = dy;
  ops::rotary_backward(rotation.angles(), Sequences(some_offsets), dx.view());
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx), 1e-9, 40));
}

TEST(Rotary, TurnsColumnsOfAWiderMatrix) {
  const Rotation rotation;
  auto wide = test::random_matrix<double>(5, 12, 1);
  Tensor<double, 2> alone({5, 8});
  copy(TensorView<const double, 2>(wide.view().columns(0, 8)), alone.view());
  const double outside = wide(4, 8);
  ops::rotary_forward(rotation.angles(), Sequences(some_offsets), alone.view());
  ops::rotary_forward(rotation.angles(), Sequences(some_offsets), wide.view().columns(0, 8));
  for (Index r = 0; r < 5; ++r) {
    for (Index c = 0; c < 8; ++c) EXPECT_EQ(wide(r, c), alone(r, c));
  }
  EXPECT_EQ(wide(4, 8), outside);
}

TEST(Rotary, RefusesWidthsAndPlacesThatDoNotFit) {
  const Rotation rotation;
  Tensor<double, 2> odd({5, 6}), rows({4, 8}), long_rows({4, 8});
  const std::array<Index, 2> too_long{0, 4};
  EXPECT_THROW(ops::rotary_forward(rotation.angles(), Sequences(some_offsets), odd.view()), std::invalid_argument);
  EXPECT_THROW(ops::rotary_forward(rotation.angles(), Sequences(some_offsets), rows.view()), std::invalid_argument);
  try {
    ops::rotary_forward(rotation.angles(), Sequences(too_long), long_rows.view());
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[rotary] sequence 0 has 4 rows, but only 3 places have angles");
  }
}

}  // namespace
}  // namespace couplet
