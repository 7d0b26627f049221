#include "couplet/ops/packed_factor.hpp"

#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

TEST(PackedFactor, ServesSeveralProductsWithTheirBits) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const auto b = test::random_matrix<float>(70, 50, 1);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const ops::PackedFactor<float> packed({b, true}, precision, workspace);
    for (const Index rows : {1, 30}) {
      const auto a = test::random_matrix<float>(rows, 50, 2);
      Tensor<float, 2> c({rows, 70}), expected({rows, 70});
      for (const bool accumulate : {false, true}) {
        packed.multiply({a}, c, accumulate, workspace);
        ops::multiply<float>({a}, {b, true}, expected, accumulate, precision, workspace);
      }
      EXPECT_TRUE(test::same_bits(c, expected));
    }
  }
}

TEST(PackedFactor, OfDoublesIsTheDefinition) {
  Workspace workspace;
  const auto a = test::random_matrix<double>(3, 4, 1), b = test::random_matrix<double>(4, 5, 2);
  Tensor<double, 2> c({3, 5}), expected({3, 5});
  ops::PackedFactor<double>({b}, Precision::bfloat16, workspace).multiply({a}, c, false, workspace);
  ops::multiply<double>({a}, {b}, expected, false, workspace);
  EXPECT_TRUE(test::same_bits(c, expected));
}

TEST(PackedFactor, WrongShapesAreNamed) {
  Workspace workspace;
  const auto a = test::random_matrix<float>(3, 4, 1), b = test::random_matrix<float>(5, 6, 2);
  Tensor<float, 2> c({3, 6});
  EXPECT_THROW(ops::multiply<float>({a}, {b}, c, false, Precision::float32, workspace), std::invalid_argument);
}

}  // namespace
