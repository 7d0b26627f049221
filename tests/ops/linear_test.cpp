#include "couplet/ops/linear.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

namespace couplet {
namespace {

using ops::Epilogue;
using ops::Operand;
using ops::PackedWeight;

constexpr Activation activations[] = {Activation::identity, Activation::gelu, Activation::gelu_tanh,
                                      Activation::quick_gelu};

template <class T>
Operand<T> operand(Tensor<T, 2>& x) {
  return Operand<T>(x.view());
}

template <class T>
PackedWeight<T> packed(const Tensor<T, 2>& weight) {
  PackedWeight<T> result;
  result.pack(weight);
  return result;
}

// ------------------------------------------------------------------------------------------------------- gradients

TEST(Linear, GradientsAreThoseOfTheForwardPass) {
  Workspace workspace;
  auto x = test::random_matrix<double>(5, 7, 1);
  auto weight = test::random_matrix<double>(4, 7, 2);
  auto bias = test::random_vector<double>(4, 3);
  const auto cotangent = test::random_matrix<double>(5, 4, 4);
  Tensor<double, 2> y({5, 4});
  const auto loss = [&] {
    ops::linear_forward<double>(operand(x), packed(weight), {.bias = bias.data()}, y, workspace);
    return test::inner_product(test::elements(y), test::elements(cotangent));
  };
  Tensor<double, 2> dx({5, 7});
  dx.fill(100);  // assigned
  ops::linear_backward_input<double>(cotangent, weight, dx, workspace);
  Tensor<double, 2> dweight({4, 7});
  ops::linear_backward_weight<double>(cotangent, x, dweight, workspace);
  Tensor<double, 1> dbias({4});
  ops::linear_backward_bias<double>(cotangent, dbias);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(std::as_const(dx))));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(weight), test::elements(std::as_const(dweight))));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(bias), test::elements(std::as_const(dbias))));
}

TEST(Linear, ParameterGradientsAccumulate) {
  Workspace workspace;
  const auto x = test::random_matrix<double>(3, 2, 1);
  const auto dy = test::random_matrix<double>(3, 2, 2);
  Tensor<double, 2> once({2, 2});
  Tensor<double, 2> twice({2, 2});
  Tensor<double, 1> bias_once({2});
  Tensor<double, 1> bias_twice({2});
  ops::linear_backward_weight<double>(dy, x, once, workspace);
  ops::linear_backward_bias<double>(dy, bias_once);
  for (int i = 0; i < 2; ++i) {
    ops::linear_backward_weight<double>(dy, x, twice, workspace);
    ops::linear_backward_bias<double>(dy, bias_twice);
  }
  for (Index i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(twice.data()[i], 2 * once.data()[i]);
  for (Index i = 0; i < 2; ++i) EXPECT_DOUBLE_EQ(bias_twice[i], 2 * bias_once[i]);
}

// ---------------------------------------------------------------------------------------------- float against double

struct Sizes {
  Index rows, inputs, outputs;
};
constexpr Sizes sizes[] = {{1, 1, 1}, {3, 5, 7}, {33, 67, 29}, {67, 300, 65}, {14, 32, 256}, {2, 513, 40}};

/// The largest error of sums of k products of normal numbers, relative to the largest sum: 5e-7 was the worst seen.
constexpr double tolerance = 1e-6;

TEST(Linear, FloatForwardEqualsDouble) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    for (const Sizes& size : sizes) {
      for (const Activation kind : activations) {
        for (const bool accumulate : {false, true}) {
          for (const bool keep : {false, true}) {
            const auto run = [&]<class T>(T) {
              auto x =
                  test::random_matrix<T>(size.rows, size.inputs, 1, 1 / std::sqrt(static_cast<double>(size.inputs)));
              const auto bias = test::random_vector<T>(size.outputs, 3);
              auto y = test::random_matrix<T>(size.rows, size.outputs, 4);
              Tensor<T, 2> z({size.rows, size.outputs});
              Epilogue<T> epilogue{.bias = bias.data(), .activation = kind, .accumulate = accumulate};
              if (keep) epilogue.preactivation = z;
              ops::linear_forward<T>(operand(x), packed(test::random_matrix<T>(size.outputs, size.inputs, 2)), epilogue,
                                     y, workspace);
              return std::pair(std::move(y), std::move(z));
            };
            const auto [y, z] = run(float{});
            const auto [y_double, z_double] = run(double{});
            EXPECT_TRUE(test::near_relative_to_max(y, y_double, tolerance))
                << size.rows << " rows, activation " << static_cast<int>(kind);
            EXPECT_TRUE(test::near_relative_to_max(z, z_double, tolerance));
          }
        }
      }
    }
  });
}

TEST(Linear, FloatGradientsEqualDouble) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    for (const Sizes& size : sizes) {
      const auto run = [&]<class T>(T) {
        const auto x = test::random_matrix<T>(size.rows, size.inputs, 1);
        const auto weight = test::random_matrix<T>(size.outputs, size.inputs, 2);
        const auto dy = test::random_matrix<T>(size.rows, size.outputs, 3);
        Tensor<T, 2> dx({size.rows, size.inputs});
        auto dweight = test::random_matrix<T>(size.outputs, size.inputs, 4);
        auto dbias = test::random_vector<T>(size.outputs, 5);
        ops::linear_backward_input<T>(dy, weight, dx, workspace);
        ops::linear_backward_weight<T>(dy, x, dweight, workspace);
        ops::linear_backward_bias<T>(dy, dbias);
        return std::tuple(std::move(dx), std::move(dweight), std::move(dbias));
      };
      const auto [dx, dweight, dbias] = run(float{});
      const auto [dx_double, dweight_double, dbias_double] = run(double{});
      EXPECT_TRUE(test::near_relative_to_max(dx, dx_double, tolerance));
      EXPECT_TRUE(test::near_relative_to_max(dweight, dweight_double, tolerance));
      EXPECT_TRUE(test::near_relative_to_max(dbias, dbias_double, tolerance));
    }
  });
}

TEST(Linear, SlicesOfLargerMatricesAreReadAndWrittenInPlace) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    auto x = test::random_matrix<float>(20, 60, 1);
    const auto weight = test::random_matrix<float>(90, 60, 2);
    Tensor<float, 2> y({20, 100});
    y.fill(5);
    PackedWeight<float> part;
    part.pack(weight.view().slice(30, 77).columns(5, 45));
    ops::linear_forward<float>(Operand<float>(x.view().slice(3, 17).columns(11, 51)), part, {},
                               y.view().slice(2, 16).columns(21, 68), workspace);
    for (Index i = 0; i < 20; ++i) {
      for (Index j = 0; j < 100; ++j) {
        if (i < 2 || i >= 16 || j < 21 || j >= 68) {
          EXPECT_EQ(y(i, j), 5.0F);
          continue;
        }
        double expected = 0;
        for (Index k = 0; k < 40; ++k) {
          expected += static_cast<double>(x(i + 1, 11 + k)) * static_cast<double>(weight(j + 9, 5 + k));
        }
        EXPECT_NEAR(static_cast<double>(y(i, j)), expected, 2e-5);
      }
    }
  });
}

// -------------------------------------------------------------------------------------------------------------- bits

TEST(Linear, ARowHasTheSameBitsAloneAndInAnyBatch) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    const Index rows = 67;
    auto x = test::random_matrix<float>(rows, 301, 1);
    const auto weight = packed(test::random_matrix<float>(131, 301, 2));
    const auto bias = test::random_vector<float>(131, 3);
    const Epilogue<float> epilogue{.bias = bias.data(), .activation = Activation::gelu};
    Tensor<float, 2> together({rows, 131});
    ops::linear_forward<float>(operand(x), weight, epilogue, together, workspace);
    for (const Index batch : {1, 2, 7, 33}) {
      Tensor<float, 2> y({rows, 131});
      for (Index begin = 0; begin < rows; begin += batch) {
        const Index end = std::min(rows, begin + batch);
        ops::linear_forward<float>(Operand<float>(x.view().slice(begin, end)), weight, epilogue,
                                   y.view().slice(begin, end), workspace);
      }
      EXPECT_TRUE(test::same_bits(y, together)) << "batches of " << batch;
    }
  });
}

TEST(Linear, BitsDoNotDependOnTheNumberOfThreads) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    for (const Index rows : {1, 50, 611}) {
      auto x = test::random_matrix<float>(rows, 129, 1);
      const auto weight = test::random_matrix<float>(99, 129, 2);
      const auto dy = test::random_matrix<float>(rows, 99, 3);
      const auto run = [&](int threads) {
        const ThreadLimit limit(threads);
        Tensor<float, 2> y({rows, 99});
        Tensor<float, 2> dx({rows, 129});
        Tensor<float, 2> dweight({99, 129});
        Tensor<float, 1> dbias({99});
        ops::linear_forward<float>(operand(x), packed(weight), {.activation = Activation::quick_gelu}, y, workspace);
        ops::linear_backward_input<float>(dy, weight, dx, workspace);
        ops::linear_backward_weight<float>(dy, x, dweight, workspace);
        ops::linear_backward_bias<float>(dy, dbias);
        return std::tuple(std::move(y), std::move(dx), std::move(dweight), std::move(dbias));
      };
      const auto one = run(1);
      const auto two = run(2);
      EXPECT_TRUE(test::same_bits(std::get<0>(one), std::get<0>(two)));
      EXPECT_TRUE(test::same_bits(std::get<1>(one), std::get<1>(two)));
      EXPECT_TRUE(test::same_bits(std::get<2>(one), std::get<2>(two)));
      EXPECT_TRUE(test::same_bits(std::get<3>(one), std::get<3>(two)));
    }
  });
}

/// Gradients add chunks of 256 rows in order, so whole chunks can be given one call at a time.
TEST(Linear, TheWeightGradientConsumesRowsInOrder) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    const auto x = test::random_matrix<float>(600, 45, 1);
    const auto dy = test::random_matrix<float>(600, 33, 2);
    auto whole = test::random_matrix<float>(33, 45, 3);
    auto parts = test::random_matrix<float>(33, 45, 3);
    ops::linear_backward_weight<float>(dy, x, whole, workspace);
    for (Index begin = 0; begin < 600; begin += 256) {
      const Index end = std::min<Index>(600, begin + 256);
      ops::linear_backward_weight<float>(dy.view().slice(begin, end), x.view().slice(begin, end), parts, workspace);
    }
    EXPECT_TRUE(test::same_bits(whole, parts));
  });
}

TEST(Linear, AWeightKeepsTheLevelItWasPackedFor) {
  Workspace workspace;
  auto x = test::random_matrix<float>(9, 35, 1);
  const auto weight = test::random_matrix<float>(40, 35, 2);
  for (const simd::Level level : simd::available_levels()) {
    PackedWeight<float> old;
    Tensor<float, 2> expected({9, 40});
    {
      const simd::ScopedLevel scoped(level);
      old.pack(weight);
      ops::linear_forward<float>(operand(x), old, {}, expected, workspace);
    }
    Tensor<float, 2> y({9, 40});
    ops::linear_forward<float>(operand(x), old, {}, y, workspace);
    EXPECT_TRUE(test::same_bits(y, expected));
  }
}

TEST(Linear, AWeightPackedAtUseGivesTheSameBits) {
  Workspace workspace;
  auto x = test::random_matrix<float>(9, 35, 1);
  auto weight = test::random_matrix<float>(40, 35, 2);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    PackedWeight<float> kept, at_use;
    kept.pack(weight, precision);
    at_use.pack(weight, precision, ops::Packing::at_use);
    EXPECT_EQ(at_use.precision(), kept.precision());
    EXPECT_EQ(kept.packing(), ops::Packing::kept);
    EXPECT_EQ(at_use.packing(), ops::Packing::at_use);
    EXPECT_TRUE(kept.holds(precision));
    EXPECT_FALSE(at_use.holds(precision));
    Tensor<float, 2> y({9, 40}), expected({9, 40});
    ops::linear_forward<float>(operand(x), kept, {}, expected, workspace);
    ops::linear_forward<float>(operand(x), at_use.factor([&] { return TensorView<const float, 2>(weight); }, workspace),
                               {}, y, workspace);
    EXPECT_TRUE(test::same_bits(y, expected));
  }
}

TEST(Linear, ACopyOfAPackedWeightIsIndependent) {
  Workspace workspace;
  auto x = test::random_matrix<float>(9, 35, 1);
  const auto weight = test::random_matrix<float>(40, 35, 2);
  PackedWeight<float> first = packed(weight);
  Tensor<float, 2> y({9, 40}), expected({9, 40});
  ops::linear_forward<float>(operand(x), first, {}, expected, workspace);
  const PackedWeight<float> second = first;
  first.pack(test::random_matrix<float>(40, 35, 3));
  ops::linear_forward<float>(operand(x), second, {}, y, workspace);
  EXPECT_TRUE(test::same_bits(y, expected));
}

// ------------------------------------------------------------------------------------------------- memory and mistakes

TEST(Linear, TheSecondCallTakesNoMoreMemory) {
  Workspace workspace;
  auto x = test::random_matrix<float>(611, 129, 1);
  const auto weight = test::random_matrix<float>(99, 129, 2);
  auto packed_weight = packed(weight);
  Tensor<float, 2> y({611, 99});
  Tensor<float, 2> dx({611, 129});
  Tensor<float, 2> dweight({99, 129});
  const auto step = [&] {
    packed_weight.pack(weight);
    ops::linear_forward<float>(operand(x), packed_weight, {}, y, workspace);
    ops::linear_backward_input<float>(y, weight, dx, workspace);
    ops::linear_backward_weight<float>(y, x, dweight, workspace);
    return std::pair(workspace.capacity(), packed_weight.factor().panels());
  };
  const ThreadLimit limit(1);  // which thread takes a task is a matter of chance
  step();
  step();  // the workspace has joined its pieces
  const auto before = step();
  EXPECT_EQ(step(), before);
}

TEST(Linear, NoRowsAreFine) {
  test::for_each_level([](simd::Level) {
    Workspace workspace;
    Tensor<float, 2> x({0, 5});
    Tensor<float, 2> y({0, 4});
    const auto weight = test::random_matrix<float>(4, 5, 1);
    ops::linear_forward<float>(operand(x), packed(weight), {}, y, workspace);
    Tensor<float, 2> dweight({4, 5});
    Tensor<float, 1> dbias({4});
    dweight.fill(3);
    ops::linear_backward_input<float>(y, weight, x, workspace);
    ops::linear_backward_weight<float>(y, x, dweight, workspace);
    ops::linear_backward_bias<float>(y, dbias);
    for (Index i = 0; i < dweight.size(); ++i) EXPECT_EQ(dweight.data()[i], 3.0F);
    for (Index i = 0; i < dbias.size(); ++i) EXPECT_EQ(dbias[i], 0.0F);
  });
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Linear, WrongShapesAreNamed) {
  Workspace workspace;
  Tensor<float, 2> x({3, 4});
  Tensor<float, 2> y({3, 5});
  Tensor<float, 2> z({3, 6});
  const Tensor<float, 2> weight({5, 6});
  const auto forward = [&](const PackedWeight<float>& w, const Epilogue<float>& e) {
    return message_of([&] { ops::linear_forward<float>(operand(x), w, e, y, workspace); });
  };
  EXPECT_EQ(forward({}, {}), "[linear] the weight has not been packed");
  EXPECT_EQ(forward(packed(weight), {}), "[linear] shapes do not fit: x (3, 4), weight (5, 6), y (3, 5)");
  EXPECT_EQ(forward(packed(Tensor<float, 2>({5, 4})), {.preactivation = z}),
            "[linear] shapes differ: preactivation (3, 6), y (3, 5)");
  EXPECT_EQ(message_of([&] { ops::linear_backward_input<float>(y, weight, x, workspace); }),
            "[linear backward] shapes do not fit: dy (3, 5), weight (5, 6), dx (3, 4)");
  EXPECT_EQ(message_of([&] { ops::linear_backward_weight<float>(y, x, z, workspace); }),
            "[linear backward] shapes do not fit: dy (3, 5), x (3, 4), dweight (3, 6)");
  Tensor<float, 1> bias({3});
  EXPECT_EQ(message_of([&] { ops::linear_backward_bias<float>(y, bias); }),
            "[linear backward] shapes do not fit: dy (3, 5), dbias (3)");
}

}  // namespace
}  // namespace couplet
