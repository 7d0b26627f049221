#include "couplet/ops/layer_norm.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using test::GuardedMatrix;
using test::near_relative_to_max;
using test::random_matrix;
using test::random_vector;
using test::same_bits;

/// Inputs, outputs and gradients of one call.
template <class T>
struct Norm {
  Norm(Index rows, Index columns, double mean_of_x = 0.5)
      : x(rows, columns, random_matrix<double>(rows, columns, 1, 2.0, mean_of_x)),
        dy(rows, columns, random_matrix<double>(rows, columns, 2)),
        weight(random_vector<T>(columns, 3, 0.5, 1.0)),
        bias(random_vector<T>(columns, 4)),
        y(rows, columns),
        dx(rows, columns),
        mean({rows}),
        rstd({rows}),
        dweight({columns}),
        dbias({columns}) {}

  void forward() { ops::layer_norm_forward<T>(x.view(), weight, bias, T(1e-5), ops::Operand<T>(y.view()), mean, rstd); }
  void backward(bool accumulate = false) {
    ops::layer_norm_backward<T>(dy.view(), x.view(), weight, mean, rstd, dx.view(), accumulate, dweight, dbias);
  }
  void run() {
    forward();
    backward();
  }

  GuardedMatrix<T> x;
  GuardedMatrix<T> dy;
  Tensor<T, 1> weight;
  Tensor<T, 1> bias;
  GuardedMatrix<T> y;
  GuardedMatrix<T> dx;
  Tensor<T, 1> mean;
  Tensor<T, 1> rstd;
  Tensor<T, 1> dweight;
  Tensor<T, 1> dbias;
};

/// The largest rstd |weight dy|: what the terms of dx are made of.
double largest_term(const Norm<double>& norm) {
  return test::largest_magnitude(norm.rstd) * test::largest_magnitude(norm.weight) *
         test::largest_magnitude(norm.dy.values());
}

TEST(LayerNorm, HasZeroMeanAndUnitVariance) {
  Norm<double> norm(3, 40);
  norm.weight.fill(1);
  norm.bias.fill(0);
  norm.forward();
  for (Index r = 0; r < 3; ++r) {
    double sum = 0;
    double squares = 0;
    for (Index c = 0; c < 40; ++c) {
      sum += norm.y.view()(r, c);
      squares += norm.y.view()(r, c) * norm.y.view()(r, c);
    }
    EXPECT_NEAR(sum / 40, 0, 1e-14);
    EXPECT_NEAR(squares / 40, 1, 1e-5);  // eps is inside the root
  }
}

TEST(LayerNorm, HasTrueGradients) {
  Norm<double> norm(3, 10);
  norm.run();
  auto x = norm.x.values();
  const auto dx = norm.dx.values();
  const auto loss = [&] {
    copy(TensorView<const double, 2>(x), norm.x.view());
    norm.forward();
    return test::inner_product(test::elements(norm.dy.values()), test::elements(norm.y.values()));
  };
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(norm.weight), test::elements(norm.dweight)));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(norm.bias), test::elements(norm.dbias)));
}

TEST(LayerNorm, AddsParameterGradientsAndAssignsDx) {
  Norm<double> once(5, 7);
  once.run();
  Norm<double> twice(5, 7);
  twice.run();
  twice.backward();
  for (Index c = 0; c < 7; ++c) {
    EXPECT_EQ(twice.dweight[c], 2 * once.dweight[c]);
    EXPECT_EQ(twice.dbias[c], 2 * once.dbias[c]);
  }
  EXPECT_TRUE(same_bits(twice.dx.values(), once.dx.values()));
}

TEST(LayerNorm, AddsDxForTheResidualStream) {
  test::for_each_level([](simd::Level) {
    Norm<float> assigned(4, 37);
    assigned.run();
    Norm<float> added(4, 37);
    added.forward();
    const auto stream = random_matrix<float>(4, 37, 9);
    copy(TensorView<const float, 2>(stream), added.dx.view());
    added.backward(true);
    for (Index r = 0; r < 4; ++r) {
      for (Index c = 0; c < 37; ++c) EXPECT_EQ(added.dx.view()(r, c), stream(r, c) + assigned.dx.view()(r, c));
    }
  });
}

TEST(LayerNorm, IsAccurateForEveryWidthOnEveryLevel) {
  for (Index columns = 1; columns <= 67; ++columns) {
    Norm<double> expected(5, columns);
    expected.run();
    test::for_each_level([&](simd::Level) {
      Norm<float> norm(5, columns);
      norm.run();
      ASSERT_TRUE(near_relative_to_max(norm.y.values(), expected.y.values(), 1e-6));
      ASSERT_TRUE(near_relative_to_max(norm.mean, expected.mean, 1e-6));
      ASSERT_TRUE(near_relative_to_max(norm.rstd, expected.rstd, 1e-6));
      // In narrow rows nearly everything cancels: errors are those of the terms rstd weight dy and dy n.
      ASSERT_LE(test::largest_error(norm.dx.values(), expected.dx.values()), 1e-6 * largest_term(expected));
      ASSERT_LE(test::largest_error(norm.dweight, expected.dweight), 3e-6);
      ASSERT_TRUE(near_relative_to_max(norm.dbias, expected.dbias, 1e-6));
      ASSERT_TRUE(norm.y.intact() && norm.dx.intact());
    });
  }
}

TEST(LayerNorm, IsAccurateForTheRowsOfTheModels) {
  Norm<double> expected(700, 768);
  expected.run();
  test::for_each_level([&](simd::Level) {
    Norm<float> norm(700, 768);
    norm.run();
    EXPECT_TRUE(near_relative_to_max(norm.y.values(), expected.y.values(), 1e-6));
    EXPECT_TRUE(near_relative_to_max(norm.dx.values(), expected.dx.values(), 1e-6));
    EXPECT_TRUE(near_relative_to_max(norm.dweight, expected.dweight, 2e-6));
    EXPECT_TRUE(near_relative_to_max(norm.dbias, expected.dbias, 2e-6));
  });
}

TEST(LayerNorm, KeepsItsAccuracyFarFromZero) {
  // Deviation 2 around 1000: x itself has rounding errors of 6e-5 / 2, and no more may be lost.
  Norm<double> expected(2, 768, 1000.0);
  expected.forward();
  test::for_each_level([&](simd::Level) {
    Norm<float> norm(2, 768, 1000.0);
    norm.forward();
    EXPECT_TRUE(near_relative_to_max(norm.y.values(), expected.y.values(), 3e-5));
  });
}

TEST(LayerNorm, HasTheSameBitsForARowAlone) {
  test::for_each_level([](simd::Level) {
    Norm<float> batch(9, 100);
    batch.run();
    for (const Index row : {0, 8}) {
      Norm<float> alone(1, 100);
      copy(TensorView<const float, 2>(batch.x.view().slice(row, row + 1)), alone.x.view());
      copy(TensorView<const float, 2>(batch.dy.view().slice(row, row + 1)), alone.dy.view());
      alone.run();
      for (Index c = 0; c < 100; ++c) {
        EXPECT_EQ(alone.y.view()(0, c), batch.y.view()(row, c));
        EXPECT_EQ(alone.dx.view()(0, c), batch.dx.view()(row, c));
      }
    }
  });
}

TEST(LayerNorm, HasTheSameBitsForAnyNumberOfThreads) {
  test::for_each_level([](simd::Level) {
    Norm<float> serial(600, 200);
    {
      const ThreadLimit one(1);
      serial.run();
    }
    Norm<float> parallel(600, 200);
    parallel.run();
    EXPECT_TRUE(same_bits(parallel.y.values(), serial.y.values()));
    EXPECT_TRUE(same_bits(parallel.dx.values(), serial.dx.values()));
    EXPECT_TRUE(same_bits(parallel.dweight, serial.dweight));
    EXPECT_TRUE(same_bits(parallel.dbias, serial.dbias));
  });
}

TEST(LayerNorm, LeavesOutWhatIsNotWanted) {
  test::for_each_level([](simd::Level) {
    Norm<float> norm(3, 20);
    norm.run();
    const auto y = norm.y.values();
    const auto dx = norm.dx.values();
    const auto dbias = norm.dbias;
    ops::layer_norm_forward<float>(norm.x.view(), norm.weight, norm.bias, 1e-5F, ops::Operand<float>(norm.y.view()), {},
                                   {});
    EXPECT_TRUE(same_bits(norm.y.values(), y));
    ops::layer_norm_backward<float>(norm.dy.view(), norm.x.view(), norm.weight, norm.mean, norm.rstd, norm.dx.view(),
                                    false, {}, {});
    EXPECT_TRUE(same_bits(norm.dx.values(), dx));
    norm.dbias.fill(0);
    const auto dweight = norm.dweight;
    ops::layer_norm_backward<float>(norm.dy.view(), norm.x.view(), norm.weight, norm.mean, norm.rstd, norm.dx.view(),
                                    false, {}, norm.dbias);
    EXPECT_TRUE(same_bits(norm.dbias, dbias));
    EXPECT_TRUE(same_bits(norm.dweight, dweight));
  });
}

TEST(LayerNorm, RefusesShapesThatDoNotFit) {
  Norm<float> norm(3, 20);
  norm.weight.resize({19});
  EXPECT_THROW(norm.forward(), std::invalid_argument);
  EXPECT_THROW(norm.backward(), std::invalid_argument);
  Norm<float> statistics(3, 20);
  statistics.mean.resize({2});
  EXPECT_THROW(statistics.forward(), std::invalid_argument);
  EXPECT_THROW(statistics.backward(), std::invalid_argument);
  Norm<float> gradient(3, 20);
  gradient.dbias.resize({21});
  EXPECT_THROW(gradient.backward(), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
