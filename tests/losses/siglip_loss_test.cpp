#include "couplet/losses/siglip_loss.hpp"

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
test::GradientErrors errors_against_written_out(Index n, Index e, double logit_scale, double bias, double* loss_error) {
  const auto image = unit_rows<T>(n, e, 1);
  const auto text = similar_unit_rows(image, 2);
  GradientMemory<T> memory(n, e);
  Workspace workspace;
  const T loss = SigLipLoss<T>().forward_backward(image, text, static_cast<T>(logit_scale), static_cast<T>(bias),
                                                  memory.gradients, workspace);
  const auto z = test::all_logits(image, text, static_cast<double>(static_cast<T>(logit_scale)), bias);
  const auto expected = test::sigmoid_written_out(z);
  *loss_error = static_cast<double>(std::abs(expected.loss - loss) / std::max(expected.loss, 1e-30L));
  return test::gradient_errors(expected, z, bias, logit_scale, image, text, memory.gradients);
}

TEST(SigLipLoss, EqualsTheWholeMatrixWrittenOutInDouble) {
  for (const Index n : {1, 2, 31, 256, 257, 300}) {
    for (const auto& [logit_scale, bias] : {std::pair{0.0, 0.0}, {2.3026, -10.0}, {4.6052, -12.9}, {4.6052, 10.0}}) {
      double loss = 0;
      const auto error = errors_against_written_out<double>(n, 5, logit_scale, bias, &loss);
      EXPECT_LT(loss, 1e-12) << n << " " << logit_scale;
      EXPECT_LT(std::max(error.image, error.text), 1e-12) << n << " " << logit_scale;
      EXPECT_LT(std::max(error.logit_scale, error.logit_bias), 1e-11) << n << " " << logit_scale;
    }
  }
}

TEST(SigLipLoss, EqualsTheWholeMatrixWrittenOutInFloat) {
  test::for_each_level([](simd::Level) {
    for (const Index n : {1, 2, 31, 257, 300}) {
      for (const auto& [logit_scale, bias] : {std::pair{0.0, 0.0}, {2.3026, -10.0}, {4.6052, -12.9}, {4.6052, 10.0}}) {
        double loss = 0;
        const auto error = errors_against_written_out<float>(n, 32, logit_scale, bias, &loss);
        const double tolerance = 5e-7 * std::max(4.0, std::exp(logit_scale));  // of a logit's rounding
        EXPECT_LT(loss, tolerance) << n << " " << logit_scale;
        EXPECT_LT(std::max(error.image, error.text), tolerance) << n << " " << logit_scale;
        EXPECT_LT(std::max(error.logit_scale, error.logit_bias), tolerance) << n << " " << logit_scale;
      }
    }
  });
}

TEST(SigLipLoss, HasTheGradientsOfItsLoss) {
  const ThreadLimit limit(1);  // hundreds of tiny losses
  const Index n = 7, e = 6;
  auto image = unit_rows<double>(n, e, 3);
  auto text = unit_rows<double>(n, e, 4);
  GradientMemory<double> memory(n, e);
  Workspace workspace;
  Tensor<double, 1> scalars({2});  // logit_scale, logit_bias
  scalars[0] = 2.0;
  scalars[1] = -1.5;
  const auto loss = [&] { return SigLipLoss<double>().forward(image, text, scalars[0], scalars[1], workspace); };
  const double value =
      SigLipLoss<double>().forward_backward(image, text, scalars[0], scalars[1], memory.gradients, workspace);
  EXPECT_DOUBLE_EQ(value, loss());
  EXPECT_TRUE(test::check_gradient(loss, test::elements(image), test::elements(memory.image), 1e-8));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(text), test::elements(memory.text), 1e-8));
  const double d_scalars[] = {memory.gradients.logit_scale, memory.gradients.logit_bias};
  EXPECT_TRUE(test::check_gradient(loss, test::elements(scalars), d_scalars, 1e-8));
}

// At the start of training all logits are about -10: softplus(10) for the pair, softplus(-10) for each other text.
TEST(SigLipLoss, StartsAtTenPlusALittlePerPair) {
  for (const Index n : {2, 100, 300}) {
    Tensor<float, 2> image({n, 4}), text({n, 4});
    for (Index i = 0; i < n; ++i) image(i, 0) = text(i, 1) = 1;
    Workspace workspace;
    const float loss = SigLipLoss<float>().forward(image, text, 2.3026F, -10.0F, workspace);
    EXPECT_NEAR(loss, 10 + static_cast<double>(n) * 4.54e-5, 2e-6) << n;
  }
}

// Logits of +50 for the pairs and -50 for the others: the loss is N e^-50, far below the precision of the sums of 1.
TEST(SigLipLoss, KeepsItsPrecisionWhenPairsAreWellToldApart) {
  const Index n = 8;
  Tensor<float, 2> image({n, n});
  for (Index i = 0; i < n; ++i) image(i, i) = 1;
  GradientMemory<float> memory(n, n);
  Workspace workspace;
  const auto log_scale = static_cast<float>(std::log(100.0));
  const double scale = std::exp(log_scale);
  const float loss = SigLipLoss<float>().forward_backward(image, image, log_scale, -50.0F, memory.gradients, workspace);
  EXPECT_NEAR(loss / (7 * std::exp(-50.0) + std::exp(50 - scale)), 1, 1e-5);
  EXPECT_NEAR(memory.image(2, 5) / (scale * std::exp(-50.0) / n), 1, 1e-5);
  EXPECT_NEAR(memory.image(2, 2) / (-scale * std::exp(50 - scale) / n), 1, 1e-5);
}

TEST(SigLipLoss, HasTheSameBitsForOneAndTwoThreads) {
  const Index n = 4400, e = 8;  // two columns of blocks, ragged ones
  const auto image = unit_rows<float>(n, e, 7);
  const auto text = similar_unit_rows(image, 8);
  GradientMemory<float> one(n, e), two(n, e);
  Workspace workspace;
  float losses[2];
  {
    const ThreadLimit limit(1);
    losses[0] = SigLipLoss<float>().forward_backward(image, text, 3.0F, -10.0F, one.gradients, workspace);
  }
  losses[1] = SigLipLoss<float>().forward_backward(image, text, 3.0F, -10.0F, two.gradients, workspace);
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(SigLipLoss<float>().forward(image, text, 3.0F, -10.0F, workspace), losses[0]);
  EXPECT_EQ(one.gradients.logit_scale, two.gradients.logit_scale);
  EXPECT_EQ(one.gradients.logit_bias, two.gradients.logit_bias);
  EXPECT_TRUE(test::same_bits(one.image, two.image));
  EXPECT_TRUE(test::same_bits(one.text, two.text));
}

TEST(SigLipLoss, NeedsFarLessMemoryThanTheMatrixAndAllocatesNothingTwice) {
  const ThreadLimit one(1);  // of several threads, which needs how much scratch memory differs from call to call
  const Index n = 6000, e = 8;
  const auto image = unit_rows<float>(n, e, 9);
  const auto text = similar_unit_rows(image, 10);
  GradientMemory<float> memory(n, e);
  Workspace workspace;
  (void)SigLipLoss<float>().forward_backward(image, text, 4.0F, -10.0F, memory.gradients, workspace);
  const std::size_t held = workspace.capacity();
  EXPECT_LT(held, std::size_t(n) * std::size_t(n) * sizeof(float) / 8);
  (void)SigLipLoss<float>().forward_backward(image, text, 4.0F, -10.0F, memory.gradients, workspace);
  EXPECT_EQ(workspace.capacity(), held);
}

TEST(SigLipLoss, StaysFiniteAtExtremeScales) {
  const auto image = unit_rows<float>(33, 8, 11);
  const auto text = similar_unit_rows(image, 12);
  GradientMemory<float> memory(33, 8);
  Workspace workspace;
  for (const float logit_scale : {-20.0F, 0.0F, 4.6052F, 10.0F, 20.0F}) {
    const float loss =
        SigLipLoss<float>().forward_backward(image, text, logit_scale, -10.0F, memory.gradients, workspace);
    EXPECT_TRUE(optim::is_finite(&loss)) << logit_scale;
    EXPECT_TRUE(optim::is_finite(&memory.gradients.logit_scale)) << logit_scale;
    EXPECT_EQ(optim::count_non_finite(memory.image.data(), memory.image.size()), 0) << logit_scale;
    EXPECT_EQ(optim::count_non_finite(memory.text.data(), memory.text.size()), 0) << logit_scale;
  }
}

TEST(SigLipLoss, TakesRowsOfZerosAndShowsNaN) {
  auto image = unit_rows<float>(5, 8, 13);
  const auto text = unit_rows<float>(5, 8, 14);
  std::fill_n(image[2].data(), 8, 0.0F);
  GradientMemory<float> memory(5, 8);
  Workspace workspace;
  const float loss = SigLipLoss<float>().forward_backward(image, text, 2.0F, -10.0F, memory.gradients, workspace);
  EXPECT_TRUE(optim::is_finite(&loss));
  EXPECT_EQ(optim::count_non_finite(memory.image.data(), memory.image.size()), 0);
  image(3, 1) = std::numeric_limits<float>::quiet_NaN();
  const float none = SigLipLoss<float>().forward(image, text, 2.0F, -10.0F, workspace);
  EXPECT_FALSE(optim::is_finite(&none));
}

std::string siglip_refusal(TensorView<const float, 2> image, TensorView<const float, 2> text, float logit_scale,
                           float logit_bias = 0) {
  Workspace workspace;
  try {
    (void)SigLipLoss<float>().forward(image, text, logit_scale, logit_bias, workspace);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(SigLipLoss, RefusesWhatIsNotABatchOfUnitPairs) {
  auto image = unit_rows<float>(4, 6, 15);
  const auto text = unit_rows<float>(5, 6, 16);
  EXPECT_EQ(siglip_refusal(image, text, 0), "[siglip_loss] shapes differ: image_features (4, 6), text_features (5, 6)");
  EXPECT_EQ(siglip_refusal(image, image, 88.7F),
            "[siglip_loss] logit_scale must be in [-20.000000, 20.000000], not 88.699997");
  EXPECT_NE(siglip_refusal(image, image, std::numeric_limits<float>::infinity()), "");
  EXPECT_NE(siglip_refusal(image.view().slice(0, 0), image.view().slice(0, 0), 0), "");
  EXPECT_NE(siglip_refusal(image, image, 0, std::numeric_limits<float>::quiet_NaN()), "");
  image(1, 2) += 3;
  EXPECT_NE(siglip_refusal(text.view().slice(0, 4), image, 0).find("normalise the features: row 1 of text_features"),
            std::string::npos);
  GradientMemory<float> memory(3, 6);
  Workspace workspace;
  EXPECT_THROW((void)SigLipLoss<float>().forward_backward(text, text, 0, 0, memory.gradients, workspace),
               std::invalid_argument);
}

}  // namespace
}  // namespace couplet::losses
