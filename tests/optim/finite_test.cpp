#include "couplet/optim/finite.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace couplet::optim {
namespace {

template <class T>
class Finite : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Finite, Types);

TYPED_TEST(Finite, AcceptsEveryOrdinaryNumber) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<TypeParam> values{0, -TypeParam(0), 1, Limits::max(), Limits::lowest(), Limits::denorm_min()};
  EXPECT_EQ(count_non_finite(values.data(), static_cast<Index>(values.size())), 0);
  EXPECT_EQ(first_non_finite(values.data(), static_cast<Index>(values.size())), 6);
}

TYPED_TEST(Finite, FindsInfinitiesAndNaNAndTheFirstOfThem) {
  using Limits = std::numeric_limits<TypeParam>;
  std::vector<TypeParam> values(1000, 1);
  values[700] = Limits::infinity();
  values[701] = -Limits::infinity();
  values[999] = Limits::quiet_NaN();
  EXPECT_EQ(count_non_finite(values.data(), 1000), 3);
  EXPECT_EQ(first_non_finite(values.data(), 1000), 700);
}

}  // namespace
}  // namespace couplet::optim
