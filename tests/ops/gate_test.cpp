#include "couplet/ops/gate.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"

namespace couplet {
namespace {

TEST(Gate, HasTrueGradients) {
  auto a = test::random_matrix<double>(3, 5, 1), b = test::random_matrix<double>(3, 5, 2);
  const auto dy = test::random_matrix<double>(3, 5, 3);
  Tensor<double, 2> y({3, 5}), da({3, 5}), db({3, 5});
  const auto loss = [&] {
    ops::gate_forward<double>(a, b, y);
    return test::inner_product(test::elements(dy), test::elements(y));
  };
  loss();
  EXPECT_EQ(y(2, 4), a(2, 4) * b(2, 4));
  ops::gate_backward<double>(dy, a, b, da, db);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(a), test::elements(da)));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(b), test::elements(db)));
}

TEST(Gate, ResultsMayTakeThePlaceOfWhatTheyAreMadeOf) {
  const auto a = test::random_matrix<double>(3, 5, 1), b = test::random_matrix<double>(3, 5, 2);
  const auto dy = test::random_matrix<double>(3, 5, 3);
  Tensor<double, 2> da({3, 5}), db({3, 5});
  ops::gate_backward<double>(dy, a, b, da, db);
  Tensor<double, 2> x = a, y = b;
  ops::gate_backward<double>(dy, x, y, y, x);
  EXPECT_TRUE(test::same_bits(y, da));
  EXPECT_TRUE(test::same_bits(x, db));
}

TEST(Gate, RefusesShapesThatDiffer) {
  Tensor<double, 2> a({3, 5}), b({3, 4});
  EXPECT_THROW(ops::gate_forward<double>(a, b, a), std::invalid_argument);
  EXPECT_THROW(ops::gate_backward<double>(b, a, a, a, a), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
