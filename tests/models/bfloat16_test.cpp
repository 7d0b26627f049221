// Whole models with products in bfloat16: on this machine's own level and, emulated where it has to be, on amx.
#include <gtest/gtest.h>

#include "couplet/losses/clip_loss.hpp"
#include "couplet/models/clip.hpp"
#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "support/amx_emulator.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

ClipConfig small_config(bool siglip) {
  ClipConfig config = preset("tiny-32");
  config.vision.patch_size = 8;
  config.vision.layers = config.text.layers = 3;
  config.vision.width = config.text.width = config.embed_dim = 64;
  config.vision.heads = config.text.heads = 2;
  config.vision.mlp_width = config.text.mlp_width = 136;
  config.text.vocab_size = 50;
  config.text.context_length = 12;
  config.text.eot_token_id = 49;
  return siglip ? as_siglip(config) : config;
}

Tensor<std::int64_t, 2> texts(Index count, Index length) {
  Tensor<std::int64_t, 2> ids({count, length});
  Random random(7);
  for (Index i = 0; i < count; ++i) {
    for (Index t = 0; t < length; ++t) ids(i, t) = static_cast<std::int64_t>(random.below(49));
    ids(i, 3 + i % (length - 3)) = 49;
  }
  return ids;
}

template <class T>
struct Outcome {
  Tensor<T, 2> image, text;
  std::vector<T> gradients;
};

/// Features of 5 pairs, and the gradients of every parameter for given gradients of the features.
template <class T>
Outcome<T> run(Clip<T>& model) {
  const auto pixels = test::random_tensor<T, 4>({5, 3, 32, 32}, 3);
  const auto ids = texts(5, model.config().text.context_length);
  Outcome<T> result{Tensor<T, 2>({5, model.embed_dim()}), Tensor<T, 2>({5, model.embed_dim()}), {}};
  Workspace workspace;
  typename ImageTower<T>::Saved visual;
  typename TextTransformer<T>::Saved text;
  model.visual.forward(pixels, result.image, workspace, &visual);
  model.text.forward(ids, result.text, workspace, &text);
  nn::zero_grad(model);
  model.visual.backward(test::random_matrix<T>(5, model.embed_dim(), 4), workspace, visual);
  model.text.backward(test::random_matrix<T>(5, model.embed_dim(), 5), workspace, text);
  model.visit_parameters([&](std::string_view, auto& parameter) {
    result.gradients.insert(result.gradients.end(), parameter.grad.data(),
                            parameter.grad.data() + parameter.grad.size());
  });
  return result;
}

/// |a - b| / |b| over all elements.
template <class A, class B>
double relative_difference(const A& a, const B& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(b.size()); ++i) {
    const double x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
    difference += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(difference / size);
}

/// The same level as forced by COUPLET_ARCH, without asking whether the machine has it.
class ForcedLevel {
 public:
  explicit ForcedLevel(simd::Level level) : previous_(simd::active_level()) { set(level); }
  ~ForcedLevel() { set(previous_); }
  ForcedLevel(const ForcedLevel&) = delete;
  ForcedLevel& operator=(const ForcedLevel&) = delete;

 private:
  static void set(simd::Level level) { simd::detail::current_level().store(level); }
  simd::Level previous_;
};

class Bfloat16Model : public testing::TestWithParam<simd::Level> {
 protected:
  void SetUp() override {
    if (simd::active_level() < simd::Level::avx512) GTEST_SKIP() << "another level is forced";
    if (GetParam() == simd::Level::amx ? !test::AmxEmulator::possible() : GetParam() > simd::detected_level()) {
      GTEST_SKIP() << "this machine has no level " << simd::to_string(GetParam());
    }
  }
};

// A bfloat16 has 8 bits: one rounding is at most 2^-9 = 2.0e-3, 1.1e-3 in the mean square. A product of two rounded
// factors is off by 1.6e-3 of its size; three layers of three products each and their gradients add up like a random
// walk. Measured: features 5.4e-3 to 5.6e-3, gradients 7.4e-3.
TEST_P(Bfloat16Model, FeaturesAndGradientsAreNearThoseInDouble) {
  const test::AmxEmulator emulator;
  for (const bool siglip : {false, true}) {
    const ForcedLevel level(GetParam());
    Clip<float> model(small_config(siglip));
    Clip<double> exact(small_config(siglip));
    initialize(model, 1);
    initialize(exact, 1);
    model.prepare(Precision::bfloat16);
    ASSERT_EQ(model.precision(), Precision::bfloat16);
    const Outcome<float> rough = run(model);
    const Outcome<double> fine = run(exact);
    const double image = relative_difference(rough.image, fine.image);
    const double text = relative_difference(rough.text, fine.text);
    const double gradients = relative_difference(rough.gradients, fine.gradients);
    RecordProperty("errors", std::to_string(image) + " " + std::to_string(text) + " " + std::to_string(gradients));
    EXPECT_LT(image, 1e-2);
    EXPECT_LT(text, 1e-2);
    EXPECT_LT(gradients, 2e-2);
    EXPECT_GT(image, 1e-4) << "these are not products in bfloat16";
    model.prepare(Precision::float32);
    EXPECT_LT(relative_difference(run(model).image, fine.image), 1e-5);
  }
}

// Some fifteen products behind each other, batch norm in their weights. Measured: 1.3e-3.
TEST_P(Bfloat16Model, ResidualNetworksAreNearThemselvesInFloat32) {
  const test::AmxEmulator emulator;
  const ForcedLevel level(GetParam());
  Clip<float> model(preset("tiny-RN-64"));
  initialize(model, 1);
  model.visual.resnet().visit_batch_norms([](nn::BatchNorm<float>& bn) { nn::init::constant(bn.weight, 1.0); });
  const auto pixels = test::random_tensor<float, 4>({3, 3, 64, 64}, 3);
  Tensor<float, 2> exact({3, 64}), rough({3, 64}), one({1, 64});
  Workspace workspace;
  model.prepare();
  model.encode_image(pixels, exact, workspace);
  model.prepare(Precision::bfloat16);
  model.encode_image(pixels, rough, workspace);
  const double error = relative_difference(rough, exact);
  RecordProperty("error", std::to_string(error));
  EXPECT_LT(error, 2e-2);
  EXPECT_GT(error, 1e-4) << "these are not products in bfloat16";
  model.encode_image(pixels.view().slice(1, 2), one, workspace);
  EXPECT_TRUE(test::same_bits(one[0], rough[1]));
}

TEST_P(Bfloat16Model, SameBitsAloneInBatchesAndOnAnyNumberOfThreads) {
  const test::AmxEmulator emulator;
  const ForcedLevel level(GetParam());
  Clip<float> model(small_config(false));
  initialize(model, 1);
  model.prepare(Precision::bfloat16);
  const auto pixels = test::random_tensor<float, 4>({9, 3, 32, 32}, 3);
  const auto ids = texts(9, 12);
  Tensor<float, 2> image({9, 64}), text({9, 64}), one({1, 64});
  Workspace workspace;
  model.encode_image(pixels, image, workspace);
  model.encode_text(ids, text, workspace);
  for (const Index i : {0, 4, 8}) {
    model.encode_image(pixels.view().slice(i, i + 1), one, workspace);
    EXPECT_TRUE(test::same_bits(one.view()[0], image.view()[i]));
    model.encode_text(ids.view().slice(i, i + 1), one, workspace);
    EXPECT_TRUE(test::same_bits(one.view()[0], text.view()[i]));
  }
  const Outcome<float> many = run(model);
  const ThreadLimit limit(1);
  const Outcome<float> alone = run(model);
  EXPECT_TRUE(test::same_bits(alone.image, many.image));
  EXPECT_TRUE(test::same_bits(alone.text, many.text));
  EXPECT_TRUE(alone.gradients == many.gradients);
}

INSTANTIATE_TEST_SUITE_P(Levels, Bfloat16Model, testing::Values(simd::Level::avx512_bf16, simd::Level::amx),
                         [](const auto& level) { return simd::to_string(level.param); });

TEST(Bfloat16, ALevelWithoutItRunsFloat32AndSaysSo) {
  const simd::ScopedLevel scalar(simd::Level::scalar);
  Clip<float> model(small_config(false));
  initialize(model, 1);
  model.prepare(Precision::bfloat16);
  EXPECT_EQ(model.precision(), Precision::float32);
}

}  // namespace
