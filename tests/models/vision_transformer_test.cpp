#include "couplet/models/vision_transformer.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

/// How a tower's tokens become one vector, and whether its blocks have LayerScale.
struct Variant {
  VisionPool pool;
  bool ln_after_pool = false;
  std::optional<double> ls_init_value = {};
  bool eva02 = false;
};

VisionConfig small_vision(const Variant& variant) {
  VisionConfig config;
  config.image_height = 8;
  config.image_width = 12;
  config.patch_size = 4;
  config.width = 8;
  config.layers = 2;
  config.heads = 2;
  config.mlp_width = 12;
  config.eps = 1e-3;
  config.activation = Activation::gelu;
  config.pool = variant.pool;
  config.ln_after_pool = variant.ln_after_pool;
  config.ls_init_value = variant.ls_init_value;
  if (variant.pool == VisionPool::attention_pool) {
    config.class_token = config.ln_pre = config.projection = false;
    config.patch_bias = true;
  }
  if (variant.eva02) config = as_eva02(config);
  config.pooler_queries = 3;
  config.pooler_heads = 2;
  return config;
}

class VisionTransformerTest : public testing::TestWithParam<Variant> {};

TEST_P(VisionTransformerTest, GradientsOfEveryParameter) {
  const VisionConfig config = small_vision(GetParam());
  const Index embed_dim = config.projection ? 6 : config.width;
  VisionTransformer<double> tower(config, embed_dim);
  test::randomize(tower, 1);
  const auto pixels = test::random_tensor<double, 4>({3, 3, 8, 12}, 2);
  const auto dfeatures = test::random_matrix<double>(3, embed_dim, 3);
  Workspace workspace;
  VisionTransformer<double>::Saved saved;
  Tensor<double, 2> features({3, embed_dim});
  const auto loss = [&] {
    tower.prepare();
    tower.forward(pixels, features, workspace, &saved);
    return test::inner_product(test::elements(features), test::elements(dfeatures));
  };
  loss();
  nn::zero_grad(tower);
  tower.backward(dfeatures, workspace, saved);
  test::expect_parameter_gradients(tower, loss, 1e-7, 5);
}

TEST_P(VisionTransformerTest, InferenceAndTrainingGiveTheSameBits) {
  const VisionConfig config = small_vision(GetParam());
  const Index embed_dim = config.projection ? 6 : config.width;
  VisionTransformer<double> tower(config, embed_dim);
  test::randomize(tower, 1);
  tower.prepare();
  const auto pixels = test::random_tensor<double, 4>({2, 3, 8, 12}, 2);
  Workspace workspace;
  VisionTransformer<double>::Saved saved;
  Tensor<double, 2> training({2, embed_dim});
  Tensor<double, 2> inference({2, embed_dim});
  tower.forward(pixels, training, workspace, &saved);
  tower.forward(pixels, inference, workspace);
  EXPECT_TRUE(test::same_bits(training, inference));
}

/// Two of the six patches of each of three pictures.
Tensor<Index, 2> seen_patches() {
  Tensor<Index, 2> seen({3, 2});
  const Index values[] = {0, 5, 1, 2, 3, 4};
  std::copy_n(values, 6, seen.data());
  return seen;
}

TEST_P(VisionTransformerTest, PatchDropoutHasTheGradientsOfThePatchesSeen) {
  const VisionConfig config = small_vision(GetParam());
  if (config.eva02) GTEST_SKIP() << "EVA02 has no patch dropout";
  const Index embed_dim = config.projection ? 6 : config.width;
  VisionTransformer<double> tower(config, embed_dim);
  test::randomize(tower, 1);
  const auto pixels = test::random_tensor<double, 4>({3, 3, 8, 12}, 2);
  const auto dfeatures = test::random_matrix<double>(3, embed_dim, 3);
  const Tensor<Index, 2> seen = seen_patches();
  Workspace workspace;
  VisionTransformer<double>::Saved saved;
  Tensor<double, 2> features({3, embed_dim});
  const auto loss = [&] {
    tower.prepare();
    tower.forward(Pictures<double>{pixels, seen.view()}, features, workspace, &saved);
    return test::inner_product(test::elements(features), test::elements(dfeatures));
  };
  loss();
  nn::zero_grad(tower);
  tower.backward(dfeatures, workspace, saved);
  test::expect_parameter_gradients(tower, loss, 1e-7, 5);
}

TEST_P(VisionTransformerTest, PatchDropoutLooksAtNothingElse) {
  const VisionConfig config = small_vision(GetParam());
  if (config.eva02) GTEST_SKIP() << "EVA02 has no patch dropout";
  const Index embed_dim = config.projection ? 6 : config.width;
  VisionTransformer<double> tower(config, embed_dim);
  test::randomize(tower, 1);
  tower.prepare();
  auto pixels = test::random_tensor<double, 4>({3, 3, 8, 12}, 2);
  const Tensor<Index, 2> seen = seen_patches();
  Workspace workspace;
  Tensor<double, 2> before({3, embed_dim}), after({3, embed_dim});
  const auto run = [&](Tensor<double, 2>& features) {
    tower.forward(Pictures<double>{pixels, seen.view()}, features, workspace);
  };
  run(before);
  pixels(0, 1, 0, 5) += 1;  // patch 1 of picture 0, which sees 0 and 5
  run(after);
  EXPECT_TRUE(test::same_bits(before, after));
  pixels(0, 1, 7, 11) += 1;  // patch 5
  run(after);
  EXPECT_FALSE(test::same_bits(before, after));

  // All patches are no dropout.
  Tensor<Index, 2> all({3, 6});
  for (Index i = 0; i < 18; ++i) all.data()[i] = i % 6;
  tower.forward(Pictures<double>{pixels, all.view()}, before, workspace);
  tower.forward(pixels, after, workspace);
  EXPECT_TRUE(test::same_bits(before, after));
}

TEST(VisionTransformer, RefusesPatchesThatAreNotThere) {
  VisionTransformer<double> tower(small_vision({VisionPool::class_token}), 6);
  tower.prepare();
  const auto pixels = test::random_tensor<double, 4>({3, 3, 8, 12}, 2);
  Workspace workspace;
  Tensor<double, 2> features({3, 6});
  for (const Index wrong : {-1, 6}) {
    Tensor<Index, 2> seen = seen_patches();
    seen(1, 1) = wrong;
    EXPECT_THROW(tower.forward(Pictures<double>{pixels, seen.view()}, features, workspace), std::invalid_argument);
  }
  const Tensor<Index, 2> few({2, 2});
  EXPECT_THROW(tower.forward(Pictures<double>{pixels, few.view()}, features, workspace), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Pools, VisionTransformerTest,
                         testing::Values(Variant{VisionPool::class_token}, Variant{VisionPool::class_token, false, 0.1},
                                         Variant{VisionPool::average}, Variant{VisionPool::average, true},
                                         Variant{VisionPool::attention_pool}, Variant{VisionPool::attentional_pooler},
                                         Variant{VisionPool::class_token, false, {}, true}));

VisionConfig flexible_vision() {
  VisionConfig config = small_vision({VisionPool::attention_pool});
  config.max_patches = 6;
  return config;
}

TEST(FlexibleVisionTransformer, GradientsOfEveryParameterOverImagesOfDifferentSizes) {
  VisionTransformer<double> tower(flexible_vision(), 8);
  test::randomize(tower, 1);
  const auto wide = test::random_tensor<double, 3>({3, 4, 16}, 2);
  const auto tall = test::random_tensor<double, 3>({3, 12, 8}, 3);
  const std::vector<TensorView<const double, 3>> images{wide, tall};
  const auto dfeatures = test::random_matrix<double>(2, 8, 4);
  Workspace workspace;
  VisionTransformer<double>::Saved saved;
  Tensor<double, 2> features({2, 8});
  const auto loss = [&] {
    tower.prepare();
    tower.forward(std::span(images), features, workspace, &saved);
    return test::inner_product(test::elements(features), test::elements(dfeatures));
  };
  loss();
  nn::zero_grad(tower);
  tower.backward(dfeatures, workspace, saved);
  test::expect_parameter_gradients(tower, loss, 1e-7, 5);
}

TEST(FlexibleVisionTransformer, ImagesOfTheTablesSizeGiveWhatAFixedTowerGives) {
  VisionTransformer<double> flexible(flexible_vision(), 8), fixed(small_vision({VisionPool::attention_pool}), 8);
  test::randomize(flexible, 1);
  test::randomize(fixed, 1);
  flexible.prepare();
  fixed.prepare();
  const auto pixels = test::random_tensor<double, 4>({2, 3, 8, 12}, 2);
  Tensor<double, 2> a({2, 8}), b({2, 8});
  Workspace workspace;
  flexible.forward(pixels, a, workspace);
  fixed.forward(pixels, b, workspace);
  EXPECT_TRUE(test::same_bits(a, b));
}

TEST(FlexibleVisionTransformer, RefusesPartsOfPatchesAndFixedTowers) {
  VisionTransformer<double> tower(flexible_vision(), 8), fixed(small_vision({VisionPool::attention_pool}), 8);
  tower.prepare();
  fixed.prepare();
  const Tensor<double, 3> odd({3, 8, 10}), good({3, 8, 8});
  const std::vector<TensorView<const double, 3>> odd_images{odd}, good_images{good};
  Tensor<double, 2> features({1, 8});
  Workspace workspace;
  EXPECT_THROW(tower.forward(std::span(odd_images), features, workspace), std::invalid_argument);
  EXPECT_THROW(fixed.forward(std::span(good_images), features, workspace), std::invalid_argument);
  EXPECT_NO_THROW(tower.forward(std::span(good_images), features, workspace));
}

TEST(VisionTransformer, RefusesPixelsOfAnotherSizeAndAcceptsNone) {
  VisionTransformer<double> tower(small_vision({VisionPool::class_token}), 6);
  tower.prepare();
  Workspace workspace;
  Tensor<double, 2> features({2, 6});
  const Tensor<double, 4> wrong({2, 3, 8, 8});
  EXPECT_THROW(tower.forward(wrong, features, workspace), std::invalid_argument);
  const Tensor<double, 4> right({1, 3, 8, 12});
  EXPECT_THROW(tower.forward(right, features, workspace), std::invalid_argument);
  const Tensor<double, 4> none({0, 3, 8, 12});
  Tensor<double, 2> no_features({0, 6});
  EXPECT_NO_THROW(tower.forward(none, no_features, workspace));
}

}  // namespace
