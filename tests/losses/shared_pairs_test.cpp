#include "couplet/losses/shared_pairs.hpp"

#include <gtest/gtest.h>

#include "couplet/losses/clip_loss.hpp"
#include "couplet/losses/siglip_loss.hpp"
#include "losses/unit_features.hpp"
#include "support/expect_near.hpp"
#include "support/thread_world.hpp"

namespace couplet::losses {
namespace {

using distributed::Communicator;
using test::GradientMemory;

template <class T>
T loss_of(bool siglip, TensorView<const T, 2> image, TensorView<const T, 2> text, ContrastiveGradients<T>& gradients,
          Communicator& communicator) {
  Workspace workspace;
  if (siglip) {
    const SigLipLoss<T> loss(Precision::float32, communicator);
    const T value = loss.forward_backward(image, text, T(2.3), T(-5), gradients, workspace);
    EXPECT_EQ(value, loss.forward(image, text, T(2.3), T(-5), workspace));
    return value;
  }
  const ClipLoss<T> loss(Precision::float32, communicator);
  const T value = loss.forward_backward(image, text, T(2.3), gradients, workspace);
  EXPECT_EQ(value, loss.forward(image, text, T(2.3), workspace));
  return value;
}

/// `sizes` pairs per process have the loss and the gradients of all pairs in one.
template <class T>
void expect_the_loss_of_one_process(bool siglip, const std::vector<Index>& sizes, double tolerance) {
  const Index n = std::accumulate(sizes.begin(), sizes.end(), Index{0}), e = 9;
  const auto image = test::unit_rows<T>(n, e, 1);
  const auto text = test::similar_unit_rows(image, 2);
  GradientMemory<T> whole(n, e);
  const T loss = loss_of<T>(siglip, image, text, whole.gradients, distributed::alone());
  test::ThreadWorld::run(static_cast<int>(sizes.size()), [&](Communicator& communicator) {
    const Index begin = std::accumulate(sizes.begin(), sizes.begin() + communicator.rank(), Index{0});
    const Index end = begin + sizes[static_cast<std::size_t>(communicator.rank())];
    GradientMemory<T> part(end - begin, e);
    const T value =
        loss_of<T>(siglip, image.view().slice(begin, end), text.view().slice(begin, end), part.gradients, communicator);
    EXPECT_NEAR(value, loss, tolerance * static_cast<double>(loss));
    EXPECT_TRUE(test::near_relative_to_max(part.image, whole.image.view().slice(begin, end), tolerance));
    EXPECT_TRUE(test::near_relative_to_max(part.text, whole.text.view().slice(begin, end), tolerance));
    Workspace workspace;
    const auto total = [&](T share) {
      return distributed::sum(communicator, static_cast<double>(share), workspace, distributed::Purpose::features);
    };
    const double d_scale = static_cast<double>(whole.gradients.logit_scale);
    EXPECT_NEAR(total(part.gradients.logit_scale), d_scale, 10 * tolerance * std::abs(d_scale));
    const double d_bias = static_cast<double>(whole.gradients.logit_bias);
    EXPECT_NEAR(total(part.gradients.logit_bias), d_bias, 10 * tolerance * std::abs(d_bias));
  });
}

TEST(SharedPairs, HaveTheLossAndTheGradientsOfOneProcess) {
  for (const bool siglip : {false, true}) {
    for (const std::vector<Index>& sizes :
         {std::vector<Index>{1, 1}, {3, 1, 2}, {300, 270}, {5, 260, 1, 90}, {1, 1, 1, 1, 1, 1, 1}}) {
      expect_the_loss_of_one_process<double>(siglip, sizes, 1e-12);
      expect_the_loss_of_one_process<float>(siglip, sizes, 2e-5);
    }
  }
}

TEST(SharedPairs, ExchangeEmbeddingsAndNoMatrixOfSimilarities) {
  for (const bool siglip : {false, true}) {
    constexpr Index n = 32, e = 16;  // of each of four processes
    test::ThreadWorld::run(4, [&](Communicator& communicator) {
      const auto image = test::unit_rows<float>(n, e, 1 + static_cast<std::uint64_t>(communicator.rank()));
      GradientMemory<float> memory(n, e);
      Workspace workspace;
      const std::uint64_t features = n * e * 4, numbers = 3 * 8;  // bytes; what one number of each other takes
      std::uint64_t expected = 2 * numbers;                       // sizes and loss
      if (siglip) {
        (void)SigLipLoss<float>(Precision::float32, communicator)
            .forward_backward(image, image, 1.0F, -1.0F, memory.gradients, workspace);
        expected += 3 * features + 4 * features;  // texts visit the others, gradients come home
      } else {
        (void)ClipLoss<float>(Precision::float32, communicator)
            .forward_backward(image, image, 1.0F, memory.gradients, workspace);
        expected += 3 * (2 * features + n * 16 + n * 8);
      }
      EXPECT_EQ(communicator.traffic().bytes_for(distributed::Purpose::features), expected);
    });
  }
}

}  // namespace
}  // namespace couplet::losses
