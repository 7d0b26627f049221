#include "couplet/models/interpolate.hpp"

#include <gtest/gtest.h>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "support/expect_near.hpp"

namespace {

using namespace couplet;

Clip<float> model_of(std::uint64_t seed, Index layers = 1) {
  ClipConfig config = preset("tiny-32");
  config.vision.layers = config.text.layers = layers;
  Clip<float> model(config);
  initialize(model, seed);
  return model;
}

TEST(InterpolateWeights, EndsAreTheModelsAndTheMiddleTheirMean) {
  Clip<float> a = model_of(1), b = model_of(2);
  *b.logit_scale.value.data() = 4;
  Clip<float> start = a, end = a, middle = a;
  interpolate_weights(start, b, 0);
  interpolate_weights(end, b, 1);
  interpolate_weights(middle, b, 0.5);
  EXPECT_TRUE(test::same_bits(start.visual.transformer().proj.weight.value, a.visual.transformer().proj.weight.value));
  EXPECT_TRUE(test::same_bits(end.text.token_embedding.value, b.text.token_embedding.value));
  const float* x = a.visual.transformer().proj.weight.value.data();
  const float* y = b.visual.transformer().proj.weight.value.data();
  EXPECT_FLOAT_EQ(middle.visual.transformer().proj.weight.value.data()[7], (x[7] + y[7]) / 2);
  EXPECT_FLOAT_EQ(middle.log_scale(), (a.log_scale() + 4) / 2);
  // What the products read follows the weights.
  Tensor<float, 4> pixels({1, 3, 32, 32});
  pixels.fill(0.5F);
  Tensor<float, 2> of_end({1, 128}), of_b({1, 128});
  Workspace workspace;
  end.encode_image(pixels, of_end, workspace);
  b.encode_image(pixels, of_b, workspace);
  EXPECT_TRUE(test::same_bits(of_end, of_b));
}

TEST(InterpolateWeights, MixesRunningStatistics) {
  Clip<float> a(preset("tiny-RN-64")), b = a;
  initialize(a, 1);
  initialize(b, 2);
  b.visual.resnet().stem[1].bn.running_mean.value.data()[2] = 8;
  interpolate_weights(a, b, 0.25);
  EXPECT_EQ(a.visual.resnet().stem[1].bn.running_mean.value.data()[2], 2);
}

TEST(InterpolateWeights, RefusesOtherStructuresAndFactorsByName) {
  Clip<float> a = model_of(1), b = model_of(2), deeper = model_of(3, 2);
  EXPECT_THROW(interpolate_weights(a, b, 1.5), std::invalid_argument);
  EXPECT_THROW(interpolate_weights(a, b, std::nan("")), std::invalid_argument);
  try {
    interpolate_weights(a, deeper, 0.5);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("resblocks.1"), std::string::npos) << error.what();
  }
}

}  // namespace
