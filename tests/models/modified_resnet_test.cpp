#include "couplet/models/modified_resnet.hpp"

#include "support/batch_norm_buffers.hpp"
#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

/// A width of 64 gives two positions and their mean.
VisionConfig small_config(Index image_width) {
  VisionConfig config;
  config.image_height = 32;
  config.image_width = image_width;
  config.width = 4;
  config.heads = 4;
  return as_resnet(config, {1, 2, 1, 1});
}

template <class T>
ModifiedResNet<T> random_tower(Index image_width = 64) {
  ModifiedResNet<T> tower(small_config(image_width), 6);
  std::uint64_t seed = 1;
  tower.visit_parameters([&](std::string_view, Parameter<T>& parameter) {
    const double mean = parameter.shape.rank() == 1 ? 0.7 : 0.0;
    const auto values = test::random_vector<T>(parameter.size(), ++seed, 0.3, mean);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
  test::randomize_buffers<T>(tower, 900);
  tower.prepare();
  return tower;
}

/// Lets the running statistics become those of some pictures, so that frozen ones normalise.
void calibrate(ModifiedResNet<double>& tower) {
  const ThreadLimit serial(1);
  const auto pixels = test::random_tensor<double, 4>({3, 3, 32, 32}, 5);
  Workspace workspace;
  ModifiedResNet<double>::Saved saved;
  Tensor<double, 2> features({3, 6});
  nn::zero_grad(tower);
  for (int i = 0; i < 30; ++i) {
    tower.forward(pixels, features, workspace, &saved);
    tower.backward(features, workspace, saved);
  }
}

void expect_true_gradients(ModifiedResNet<double>& tower) {
  const auto pixels = test::random_tensor<double, 4>({3, 3, 32, 32}, 2);
  const auto dfeatures = test::random_matrix<double>(3, 6, 3);
  Workspace workspace;
  ModifiedResNet<double>::Saved saved;
  Tensor<double, 2> features({3, 6});
  const auto loss = [&] {
    tower.prepare();
    tower.forward(pixels, features, workspace, &saved);
    return test::inner_product(test::elements(features), test::elements(dfeatures));
  };
  loss();
  nn::zero_grad(tower);
  tower.backward(dfeatures, workspace, saved);
  tower.attnpool.k_proj.bias = {};                                  // its gradient is 0
  test::expect_parameter_gradients(tower.attnpool, loss, 1e-7, 2);  // behind all relus
  for (auto& unit : tower.stem) {
    test::expect_parameter_gradients(unit.conv, loss, 1e-7, 2, test::smooth_step);
    test::expect_parameter_gradients(unit.bn, loss, 1e-7, 2, test::smooth_step);
  }
  for (auto& layer : tower.layers) {
    for (auto& block : layer) test::expect_parameter_gradients(block, loss, 1e-7, 1, test::smooth_step);
  }
}

TEST(ModifiedResNet, HasTrueGradientsWithBatchStatistics) {
  auto tower = random_tower<double>(32);
  expect_true_gradients(tower);
}

TEST(ModifiedResNet, HasTrueGradientsWithFrozenStatistics) {
  auto tower = random_tower<double>(32);
  calibrate(tower);
  tower.visit_batch_norms([](nn::BatchNorm<double>& bn) { bn.frozen = true; });
  expect_true_gradients(tower);
}

TEST(ModifiedResNet, InferenceIsTrainingWithFrozenBatchNorm) {
  auto tower = random_tower<double>();
  tower.freeze_batch_norm();
  const auto pixels = test::random_tensor<double, 4>({3, 3, 32, 64}, 2);
  Workspace workspace;
  ModifiedResNet<double>::Saved saved;
  Tensor<double, 2> training({3, 6}), inference({3, 6});
  tower.forward(pixels, training, workspace, &saved);
  tower.forward(pixels, inference, workspace);
  EXPECT_TRUE(test::near_relative_to_max(inference, training, 1e-12));
  nn::zero_grad(tower);
  tower.visit_batch_norms([](nn::BatchNorm<double>& bn) {
    EXPECT_FALSE(bn.weight.has_grad());
    EXPECT_FALSE(bn.bias.has_grad());
  });
}

TEST(ModifiedResNet, AnImageHasTheSameBitsAloneInBatchesAndOnAnyNumberOfThreads) {
  const auto tower = random_tower<float>();
  const auto pixels = test::random_tensor<float, 4>({11, 3, 32, 64}, 2);
  Workspace workspace;
  Tensor<float, 2> all({11, 6}), some({11, 6});
  tower.forward(pixels, all, workspace);
  for (const int threads : {1, 2, 3}) {
    const ThreadLimit limit(threads);
    for (const Index batch : {1, 2, 7, 11}) {
      const TensorView<float, 2> features = some.view().slice(0, batch);
      tower.forward(pixels.view().slice(0, batch), features, workspace);
      EXPECT_TRUE(test::same_bits(features, all.view().slice(0, batch))) << threads << " threads, batch " << batch;
    }
  }
}

TEST(ModifiedResNet, TrainingHasTheSameBitsOnAnyNumberOfThreads) {
  const auto pixels = test::random_tensor<float, 4>({4, 3, 32, 64}, 2);
  const auto dfeatures = test::random_matrix<float>(4, 6, 3);
  std::vector<ModifiedResNet<float>> towers;
  for (const int threads : {1, 2}) {
    const ThreadLimit limit(threads);
    towers.push_back(random_tower<float>());
    Workspace workspace;
    ModifiedResNet<float>::Saved saved;
    Tensor<float, 2> features({4, 6});
    nn::zero_grad(towers.back());
    towers.back().forward(pixels, features, workspace, &saved);
    towers.back().backward(dfeatures, workspace, saved);
  }
  std::vector<Parameter<float>*> expected;
  const auto collect = [&](std::string_view, Parameter<float>& p) { expected.push_back(&p); };
  nn::visit_state(towers[0], collect);
  std::size_t i = 0;
  nn::visit_state(towers[1], [&](std::string_view name, Parameter<float>& p) {
    EXPECT_TRUE(test::same_bits(p.grad, expected[i]->grad)) << name;
    EXPECT_TRUE(test::same_bits(p.value, expected[i++]->value)) << name;
  });
}

TEST(ModifiedResNet, LearnsInBatchesWhatHalfOfThemShows) {
  // Batch statistics are the batch's own: the same image in another batch has other features.
  const auto tower = random_tower<double>();
  const auto pixels = test::random_tensor<double, 4>({3, 3, 32, 64}, 2);
  Workspace workspace;
  ModifiedResNet<double>::Saved saved;
  Tensor<double, 2> all({3, 6}), two({2, 6});
  tower.forward(pixels, all, workspace, &saved);
  tower.forward(pixels.view().slice(0, 2), two, workspace, &saved);
  EXPECT_FALSE(test::near_relative_to_max(two, all.view().slice(0, 2), 1e-3));
}

TEST(ModifiedResNet, RefusesPixelsOfAnotherSizeAndAcceptsNone) {
  const auto tower = random_tower<float>();
  Workspace workspace;
  Tensor<float, 2> features({1, 6}), none({0, 6});
  EXPECT_THROW(tower.forward(Tensor<float, 4>({1, 3, 64, 64}), features, workspace), std::invalid_argument);
  EXPECT_THROW(tower.forward(Tensor<float, 4>({2, 3, 32, 64}), features, workspace), std::invalid_argument);
  tower.forward(Tensor<float, 4>({0, 3, 32, 64}), none, workspace);
}

}  // namespace
