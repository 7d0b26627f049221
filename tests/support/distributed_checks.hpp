#pragma once
/// What must hold whoever carries the data: checks of one process among several, called by all of them. Tests run them
/// over threads (thread_world.hpp) and under mpirun.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "couplet/core/share.hpp"
#include "couplet/train/contrastive_step.hpp"
#include "support/module_check.hpp"
#include "support/random_tensor.hpp"

namespace couplet::test {

inline ClipConfig distributed_config(bool siglip) {
  ClipConfig config;
  config.embed_dim = 8;
  config.vision = {.image_height = 8,
                   .image_width = 8,
                   .patch_size = 4,
                   .width = 8,
                   .layers = 2,
                   .heads = 2,
                   .mlp_width = 12,
                   .eps = 1e-3};
  config.text = {.vocab_size = 20,
                 .context_length = 6,
                 .width = 8,
                 .layers = 2,
                 .heads = 2,
                 .mlp_width = 12,
                 .eps = 1e-3,
                 .eot_token_id = 19,
                 .bos_token_id = 18,
                 .pad_token_id = 19};
  return siglip ? as_siglip(config) : config;
}

/// A batch of 11 pairs, texts of different lengths, and a model to learn them.
template <class T>
struct DistributedBatch {
  explicit DistributedBatch(bool siglip_loss)
      : siglip(siglip_loss), model(distributed_config(siglip_loss)), pixels({pairs, 3, 8, 8}), ids({pairs, 6}) {
    std::uint64_t seed = 0;
    model.visit_parameters([&](std::string_view, Parameter<T>& parameter) {
      const auto values = random_vector<T>(parameter.size(), ++seed, 0.3);
      std::copy_n(values.data(), parameter.size(), parameter.value.data());
    });
    *model.logit_scale.value.data() = T(1.2);
    model.prepare();
    pixels = random_tensor<T, 4>({pairs, 3, 8, 8}, 2);
    Random random(3);
    for (Index i = 0; i < ids.size(); ++i) ids.data()[i] = static_cast<std::int64_t>(random.below(18));
    for (Index b = 0; b < pairs; ++b) ids(b, 1 + b % 5) = 19;
  }

  static constexpr Index pairs = 11;
  bool siglip;
  Clip<T> model;
  Tensor<T, 4> pixels;
  Tensor<std::int64_t, 2> ids;
};

template <class T>
struct StepResult {
  double loss = 0;
  std::vector<std::vector<T>> gradients;
};

/// One step of this process's share of the batch.
template <class T>
StepResult<T> distributed_step(DistributedBatch<T> batch, Index micro_batch, distributed::Communicator& communicator) {
  const Share mine = share_of(batch.pairs, communicator.rank(), communicator.size());
  nn::zero_grad(batch.model);
  train::ContrastiveStep<T> step(batch.siglip ? train::LossKind::siglip : train::LossKind::clip, micro_batch, false,
                                 communicator);
  StepResult<T> result;
  result.loss = static_cast<double>(step.forward_backward(batch.model, batch.pixels.view().slice(mine.begin, mine.end),
                                                          batch.ids.view().slice(mine.begin, mine.end)));
  batch.model.visit_parameters([&](std::string_view, Parameter<T>& parameter) {
    result.gradients.emplace_back(parameter.grad.data(), parameter.grad.data() + parameter.grad.size());
  });
  return result;
}

/// The largest difference, relative to the largest component of each tensor (at least 1e-3).
template <class T>
double gradient_difference(const StepResult<T>& a, const StepResult<T>& b) {
  double worst = 0;
  for (std::size_t p = 0; p < a.gradients.size(); ++p) {
    double largest = 1e-3, difference = 0;
    for (std::size_t i = 0; i < a.gradients[p].size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(b.gradients[p][i])));
      difference = std::max(difference, std::abs(static_cast<double>(a.gradients[p][i] - b.gradients[p][i])));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

/// Loss and gradients of all processes together are those of one, for both losses and micro-batches of any size.
inline void expect_steps_equal_one_process(distributed::Communicator& communicator) {
  for (const bool siglip : {false, true}) {
    const DistributedBatch<double> batch(siglip);
    const StepResult<double> whole = distributed_step(batch, 0, distributed::alone());
    for (const Index micro_batch : {0, 1, 2, 4}) {
      const StepResult<double> shared = distributed_step(batch, micro_batch, communicator);
      EXPECT_NEAR(shared.loss, whole.loss, 1e-12 * whole.loss) << siglip << " " << micro_batch;
      EXPECT_LE(gradient_difference(shared, whole), 1e-12) << siglip << " " << micro_batch;
    }
  }
}

/// In float, too, the same bits in every run and every process.
inline void expect_steps_repeat_bit_by_bit(distributed::Communicator& communicator) {
  for (const bool siglip : {false, true}) {
    const DistributedBatch<float> batch(siglip);
    const StepResult<float> first = distributed_step(batch, 2, communicator);
    const StepResult<float> second = distributed_step(batch, 2, communicator);
    EXPECT_EQ(first.loss, second.loss);
    EXPECT_TRUE(first.gradients == second.gradients);
    std::vector<float> everybodys(static_cast<std::size_t>(communicator.size()));
    Workspace workspace;
    for (const auto& gradient : first.gradients) {
      double sum = 0;
      for (const float value : gradient) sum += 3.0 * static_cast<double>(value);
      for (const double other :
           distributed::gather_values(communicator, sum, workspace, distributed::Purpose::agreement)) {
        EXPECT_EQ(other, sum);
      }
    }
  }
}

}  // namespace couplet::test
