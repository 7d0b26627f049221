#include "couplet/losses/clip_loss.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "couplet/optim/finite.hpp"
#include "losses/unit_features.hpp"
#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/levels.hpp"

namespace couplet::losses {
namespace {

using test::GradientMemory;
using test::similar_unit_rows;
using test::unit_rows;

template <class T>
test::GradientErrors errors_against_written_out(Index n, Index e, double logit_scale, double* loss_error,
                                                Precision precision = Precision::float32) {
  const auto image = unit_rows<T>(n, e, 1);
  const auto text = similar_unit_rows(image, 2);
  GradientMemory<T> memory(n, e);
  Workspace workspace;
  const T loss =
      ClipLoss<T>(precision).forward_backward(image, text, static_cast<T>(logit_scale), memory.gradients, workspace);
  const auto z = test::all_logits(image, text, static_cast<double>(static_cast<T>(logit_scale)));
  const auto expected = test::info_nce_written_out(z);
  *loss_error = static_cast<double>(std::abs(expected.loss - loss) / std::max(expected.loss, 1e-30L));
  return test::gradient_errors(expected, z, 0, logit_scale, image, text, memory.gradients);
}

TEST(ClipLoss, EqualsTheWholeMatrixWrittenOutInDouble) {
  for (const Index n : {2, 3, 31, 256, 257, 300}) {
    for (const double logit_scale : {0.0, 2.659, 4.6052}) {
      double loss = 0;
      const auto error = errors_against_written_out<double>(n, 5, logit_scale, &loss);
      EXPECT_LT(loss, 1e-12) << n << " " << logit_scale;
      EXPECT_LT(std::max(error.image, error.text), 1e-12) << n << " " << logit_scale;
      EXPECT_LT(error.logit_scale, 1e-11) << n << " " << logit_scale;
    }
  }
}

TEST(ClipLoss, EqualsTheWholeMatrixWrittenOutInFloat) {
  test::for_each_level([](simd::Level) {
    for (const Index n : {2, 31, 257, 300}) {
      for (const double logit_scale : {0.0, 2.659, 4.6052}) {
        double loss = 0;
        const auto error = errors_against_written_out<float>(n, 32, logit_scale, &loss);
        const double tolerance = 5e-7 * std::max(2.0, std::exp(logit_scale));  // of a logit's rounding
        EXPECT_LT(loss, tolerance) << n << " " << logit_scale;
        EXPECT_LT(std::max(error.image, error.text), tolerance) << n << " " << logit_scale;
        EXPECT_LT(error.logit_scale, tolerance) << n << " " << logit_scale;
      }
    }
  });
}

// Rounding unit vectors to bfloat16 changes a similarity by about 2e-3 / sqrt(E), and a logit by e^logit_scale times
// that.
TEST(ClipLoss, InBfloat16IsNearTheWholeMatrixWrittenOut) {
  if (simd::effective_precision(Precision::bfloat16) != Precision::bfloat16) GTEST_SKIP() << "no products in bfloat16";
  for (const Index n : {31, 300}) {
    double loss = 0;
    const auto error = errors_against_written_out<float>(n, 64, 2.659, &loss, Precision::bfloat16);
    EXPECT_LT(loss, 1e-2) << n;
    EXPECT_LT(std::max(error.image, error.text), 2e-2) << n;
    EXPECT_GT(std::max(error.image, error.text), 1e-5) << n << ": these are not products in bfloat16";
  }
}

TEST(ClipLoss, HasTheGradientsOfItsLoss) {
  const ThreadLimit limit(1);  // hundreds of tiny losses
  const Index n = 7, e = 6;
  auto image = unit_rows<double>(n, e, 3);
  auto text = unit_rows<double>(n, e, 4);
  GradientMemory<double> memory(n, e);
  Workspace workspace;
  Tensor<double, 1> logit_scale({1});
  logit_scale[0] = 2.0;
  const auto loss = [&] { return ClipLoss<double>().forward(image, text, logit_scale[0], workspace); };
  const double value = ClipLoss<double>().forward_backward(image, text, logit_scale[0], memory.gradients, workspace);
  EXPECT_EQ(value, loss());
  EXPECT_TRUE(test::check_gradient(loss, test::elements(image), test::elements(memory.image), 1e-8));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(text), test::elements(memory.text), 1e-8));
  const double d_logit_scale[] = {memory.gradients.logit_scale};
  EXPECT_TRUE(test::check_gradient(loss, test::elements(logit_scale), d_logit_scale, 1e-8));
  EXPECT_EQ(memory.gradients.logit_bias, 0);
}

TEST(ClipLoss, IsTheLogarithmOfNWhenAllPairsAreAlike) {
  for (const Index n : {1, 2, 300, 1025}) {
    Tensor<float, 2> image({n, 4}), text({n, 4});
    for (Index i = 0; i < n; ++i) image(i, 0) = text(i, 1) = 1;
    GradientMemory<float> memory(n, 4);
    Workspace workspace;
    const float loss = ClipLoss<float>().forward_backward(image, text, 4.6F, memory.gradients, workspace);
    EXPECT_NEAR(loss, std::log(static_cast<double>(n)), 1e-6 * std::max(1.0, std::log(double(n)))) << n;
    EXPECT_EQ(loss, ClipLoss<float>().forward(image, text, 4.6F, workspace));
    EXPECT_NEAR(memory.gradients.logit_scale, 0, 1e-6);
    EXPECT_NEAR(memory.gradients.image_features(0, 1), 0, 1e-6);
  }
}

TEST(ClipLoss, OfOnePairIsNothing) {
  const auto image = unit_rows<float>(1, 8, 5);
  const auto text = unit_rows<float>(1, 8, 6);
  GradientMemory<float> memory(1, 8);
  Workspace workspace;
  EXPECT_EQ(ClipLoss<float>().forward_backward(image, text, 4.6F, memory.gradients, workspace), 0);
  for (Index k = 0; k < 8; ++k) {
    EXPECT_EQ(memory.image(0, k), 0);
    EXPECT_EQ(memory.text(0, k), 0);
  }
  EXPECT_EQ(memory.gradients.logit_scale, 0);
}

// Far below the precision of the probabilities themselves, which are 1.
TEST(ClipLoss, KeepsItsPrecisionWhenPairsAreWellToldApart) {
  const Index n = 8;
  Tensor<float, 2> image({n, n});
  for (Index i = 0; i < n; ++i) image(i, i) = 1;
  GradientMemory<float> memory(n, n);
  Workspace workspace;
  const double scale = std::exp(4.0F);
  const float loss = ClipLoss<float>().forward_backward(image, image, 4.0F, memory.gradients, workspace);
  const double others = 7 * std::exp(-scale);
  EXPECT_NEAR(loss / others, 1, 1e-5);
  // d image_i = scale sum_j D_ij t_j, D_ij = exp(-scale) / N off the diagonal, -others / N on it.
  EXPECT_NEAR(memory.image(2, 5) / (scale * std::exp(-scale) / n), 1, 1e-5);
  EXPECT_NEAR(memory.image(2, 2) / (-scale * others / n), 1, 1e-5);
  EXPECT_NEAR(memory.gradients.logit_scale / (-scale * others), 1, 1e-5);
}

TEST(ClipLoss, HasTheSameBitsForOneAndTwoThreads) {
  const Index n = 4400, e = 8;  // two columns of blocks, ragged ones
  const auto image = unit_rows<float>(n, e, 7);
  const auto text = similar_unit_rows(image, 8);
  GradientMemory<float> one(n, e), two(n, e);
  Workspace workspace;
  float losses[2];
  {
    const ThreadLimit limit(1);
    losses[0] = ClipLoss<float>().forward_backward(image, text, 3.0F, one.gradients, workspace);
  }
  losses[1] = ClipLoss<float>().forward_backward(image, text, 3.0F, two.gradients, workspace);
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(ClipLoss<float>().forward(image, text, 3.0F, workspace), losses[0]);
  EXPECT_EQ(one.gradients.logit_scale, two.gradients.logit_scale);
  EXPECT_TRUE(test::same_bits(one.image, two.image));
  EXPECT_TRUE(test::same_bits(one.text, two.text));
}

TEST(ClipLoss, NeedsFarLessMemoryThanTheMatrixAndAllocatesNothingTwice) {
  const ThreadLimit one(1);  // of several threads, which needs how much scratch memory differs from call to call
  const Index n = 6000, e = 8;
  const auto image = unit_rows<float>(n, e, 9);
  const auto text = similar_unit_rows(image, 10);
  GradientMemory<float> memory(n, e);
  Workspace workspace;
  (void)ClipLoss<float>().forward_backward(image, text, 4.0F, memory.gradients, workspace);
  const std::size_t held = workspace.capacity();
  EXPECT_LT(held, std::size_t(n) * std::size_t(n) * sizeof(float) / 8);
  (void)ClipLoss<float>().forward_backward(image, text, 4.0F, memory.gradients, workspace);
  EXPECT_EQ(workspace.capacity(), held);
}

TEST(ClipLoss, StaysFiniteAtExtremeScales) {
  const auto image = unit_rows<float>(33, 8, 11);
  const auto text = similar_unit_rows(image, 12);
  GradientMemory<float> memory(33, 8);
  Workspace workspace;
  for (const float logit_scale : {-20.0F, 0.0F, 4.6052F, 10.0F, 20.0F}) {
    const float loss = ClipLoss<float>().forward_backward(image, text, logit_scale, memory.gradients, workspace);
    EXPECT_TRUE(optim::is_finite(&loss)) << logit_scale;
    EXPECT_TRUE(optim::is_finite(&memory.gradients.logit_scale)) << logit_scale;
    EXPECT_EQ(optim::count_non_finite(memory.image.data(), memory.image.size()), 0) << logit_scale;
    EXPECT_EQ(optim::count_non_finite(memory.text.data(), memory.text.size()), 0) << logit_scale;
  }
}

TEST(ClipLoss, TakesRowsOfZerosAndShowsNaN) {
  auto image = unit_rows<float>(5, 8, 13);
  const auto text = unit_rows<float>(5, 8, 14);
  std::fill_n(image[2].data(), 8, 0.0F);
  GradientMemory<float> memory(5, 8);
  Workspace workspace;
  const float loss = ClipLoss<float>().forward_backward(image, text, 2.0F, memory.gradients, workspace);
  EXPECT_TRUE(optim::is_finite(&loss));
  EXPECT_EQ(optim::count_non_finite(memory.image.data(), memory.image.size()), 0);
  image(3, 1) = std::numeric_limits<float>::quiet_NaN();
  const float none = ClipLoss<float>().forward(image, text, 2.0F, workspace);
  EXPECT_FALSE(optim::is_finite(&none));
}

std::string refusal(TensorView<const float, 2> image, TensorView<const float, 2> text, float logit_scale) {
  Workspace workspace;
  try {
    (void)ClipLoss<float>().forward(image, text, logit_scale, workspace);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ClipLoss, RefusesWhatIsNotABatchOfUnitPairs) {
  auto image = unit_rows<float>(4, 6, 15);
  const auto text = unit_rows<float>(5, 6, 16);
  EXPECT_EQ(refusal(image, text, 0), "[clip_loss] shapes differ: image_features (4, 6), text_features (5, 6)");
  EXPECT_EQ(refusal(image, image, 88.7F), "[clip_loss] logit_scale must be in [-20.000000, 20.000000], not 88.699997");
  EXPECT_NE(refusal(image, image, std::numeric_limits<float>::infinity()), "");
  EXPECT_NE(refusal(image.view().slice(0, 0), image.view().slice(0, 0), 0), "");
  image(1, 2) += 3;
  EXPECT_NE(refusal(text.view().slice(0, 4), image, 0).find("normalise the features: row 1 of text_features"),
            std::string::npos);
  GradientMemory<float> memory(3, 6);
  Workspace workspace;
  EXPECT_THROW((void)ClipLoss<float>().forward_backward(text, text, 0, memory.gradients, workspace),
               std::invalid_argument);
}

}  // namespace
}  // namespace couplet::losses
