#include "couplet/models/initialize.hpp"

#include <gtest/gtest.h>

#include "couplet/models/presets.hpp"
#include "support/expect_near.hpp"

namespace {

using namespace couplet;

struct Moments {
  double mean = 0, std = 0, largest = 0;
};

class Initial {
 public:
  explicit Initial(const ClipConfig& config, std::uint64_t seed = 1) : model_(config) { initialize(model_, seed); }

  Moments operator()(std::string_view wanted) {
    Moments m{.mean = -1e9};
    model_.visit_parameters([&](std::string_view name, Parameter<double>& p) {
      if (name != wanted) return;
      m = {};
      const auto n = static_cast<double>(p.size());
      for (Index i = 0; i < p.size(); ++i) m.mean += p.value.data()[i] / n;
      for (Index i = 0; i < p.size(); ++i) {
        const double x = p.value.data()[i];
        m.std += (x - m.mean) * (x - m.mean) / n;
        m.largest = std::max(m.largest, std::abs(x));
      }
      m.std = std::sqrt(m.std);
    });
    return m;
  }

  Clip<double> model_;
};

ClipConfig config_with_known_sizes() {
  ClipConfig config = preset("tiny-32");  // image: width 128, mlp 512; text: width 128, 2 layers, mlp 512
  config.text.layers = 2;
  return config;
}

void expect_normal(const Moments& m, double std) {
  EXPECT_NEAR(m.std, std, 0.05 * std);
  EXPECT_NEAR(m.mean, 0, 0.2 * std);
  EXPECT_GT(m.largest, 2.2 * std);  // not a uniform distribution
}

void expect_uniform(const Moments& m, double bound) {
  EXPECT_LE(m.largest, bound);
  EXPECT_NEAR(m.std, bound / std::sqrt(3.0), 0.12 * bound);
}

// model-facts 3.2: openai/CLIP model.py initialize_parameters; the image blocks stay at PyTorch's defaults.
TEST(Initialize, ClipTextAsOpenAi) {
  Initial initial(config_with_known_sizes());
  const double w = 128;
  expect_normal(initial("token_embedding.weight"), 0.02);
  expect_normal(initial("positional_embedding"), 0.01);
  expect_normal(initial("transformer.resblocks.0.attn.in_proj_weight"), 1 / std::sqrt(w));
  expect_normal(initial("transformer.resblocks.1.attn.out_proj.weight"), 1 / std::sqrt(w * 4));
  expect_normal(initial("transformer.resblocks.0.mlp.c_fc.weight"), 1 / std::sqrt(2 * w));
  expect_normal(initial("transformer.resblocks.0.mlp.c_proj.weight"), 1 / std::sqrt(w * 4));
  expect_normal(initial("text_projection.weight"), 1 / std::sqrt(w));
  expect_uniform(initial("transformer.resblocks.0.mlp.c_fc.bias"), 1 / std::sqrt(w));
  expect_uniform(initial("transformer.resblocks.0.mlp.c_proj.bias"), 1 / std::sqrt(4 * w));
  EXPECT_EQ(initial("transformer.resblocks.0.attn.in_proj_bias").largest, 0);
  EXPECT_EQ(initial("transformer.resblocks.0.attn.out_proj.bias").largest, 0);
  EXPECT_NEAR(initial("logit_scale").mean, std::log(1 / 0.07), 1e-12);
}

TEST(Initialize, ClipVisionAsOpenAi) {
  Initial initial(config_with_known_sizes());
  const double w = 128;
  EXPECT_NEAR(initial("visual.class_embedding").std, 1 / std::sqrt(w), 0.25 / std::sqrt(w));
  expect_normal(initial("visual.positional_embedding"), 1 / std::sqrt(w));
  expect_normal(initial("visual.proj.weight"), 1 / std::sqrt(w));
  expect_uniform(initial("visual.conv1.weight"), 1 / std::sqrt(3.0 * 4 * 4));
  expect_uniform(initial("visual.transformer.resblocks.0.attn.in_proj_weight"), std::sqrt(6 / (4 * w)));
  expect_uniform(initial("visual.transformer.resblocks.0.attn.out_proj.weight"), 1 / std::sqrt(w));
  expect_uniform(initial("visual.transformer.resblocks.0.mlp.c_fc.weight"), 1 / std::sqrt(w));
  expect_uniform(initial("visual.transformer.resblocks.0.mlp.c_proj.weight"), 1 / std::sqrt(4 * w));
  EXPECT_EQ(initial("visual.transformer.resblocks.0.attn.out_proj.bias").largest, 0);
  EXPECT_EQ(initial("visual.ln_pre.weight").mean, 1);
  EXPECT_EQ(initial("visual.transformer.resblocks.0.ln_1.bias").largest, 0);
}

// open_clip: transformer.py, AttentionalPooler and torch.nn.MultiheadAttention with kdim; TextTransformer.
TEST(Initialize, CocaAsOpenClip) {
  ClipConfig config = as_coca(config_with_known_sizes());
  config.embed_dim = 64;
  Initial initial(config);
  expect_normal(initial("visual.attn_pool.query"), 1);
  expect_uniform(initial("visual.attn_pool.attn.q_proj_weight"), std::sqrt(6.0 / (64 + 64)));
  expect_uniform(initial("visual.attn_pool.attn.kv_proj_weight"), std::sqrt(6.0 / (64 + 128)));
  expect_uniform(initial("visual.attn_pool.attn.out_proj.weight"), 1 / std::sqrt(64.0));
  expect_normal(initial("visual.proj.weight"), 1 / std::sqrt(128.0));
  EXPECT_EQ(initial("visual.attn_pool.attn.in_proj_bias").largest, 0);
  EXPECT_EQ(initial("visual.attn_pool.ln_k.weight").mean, 1);
  EXPECT_NEAR(initial("cls_emb").std, 0.01, 0.0025);
}

TEST(Initialize, SiglipAsBigVision) {
  Initial initial(as_siglip(config_with_known_sizes()));
  const double w = 128;
  expect_normal(initial("visual.positional_embedding"), 1 / std::sqrt(w));
  expect_normal(initial("positional_embedding"), 1 / std::sqrt(w));
  expect_normal(initial("token_embedding.weight"), 1 / std::sqrt(w));
  EXPECT_NEAR(initial("visual.conv1.weight").std, 1 / std::sqrt(48.0), 0.01);
  expect_uniform(initial("transformer.resblocks.0.attn.in_proj_weight"), std::sqrt(6 / (2 * w)));
  expect_uniform(initial("visual.attn_pool.mlp.c_fc.weight"), std::sqrt(6 / (5 * w)));
  EXPECT_LE(initial("visual.attn_pool.mlp.c_fc.bias").largest, 1e-5);
  EXPECT_GT(initial("visual.attn_pool.mlp.c_fc.bias").largest, 0);
  EXPECT_EQ(initial("text_projection.bias").largest, 0);
  EXPECT_EQ(initial("visual.conv1.bias").largest, 0);
  EXPECT_EQ(initial("visual.attn_pool.ln.weight").mean, 1);
  EXPECT_NEAR(initial("logit_scale").mean, std::log(10.0), 1e-12);
  EXPECT_EQ(initial("logit_bias").mean, -10);
}

// open_clip modified_resnet.py, init_parameters.
TEST(Initialize, ResNetAsOpenClip) {
  Initial initial(preset("tiny-RN-64"));  // 256 features
  expect_normal(initial("visual.attnpool.q_proj.weight"), 1 / 16.0);
  expect_normal(initial("visual.attnpool.positional_embedding"), 1 / 16.0);
  expect_uniform(initial("visual.attnpool.c_proj.bias"), 1 / 16.0);
  expect_uniform(initial("visual.layer4.0.conv2.weight"), 1 / std::sqrt(9 * 64.0));
  EXPECT_EQ(initial("visual.bn3.weight").mean, 1);
  EXPECT_EQ(initial("visual.layer2.0.bn3.weight").mean, 0);
  EXPECT_EQ(initial("visual.layer2.0.bn2.weight").mean, 1);
  EXPECT_EQ(initial("visual.layer2.0.downsample.1.weight").mean, 1);
  EXPECT_EQ(initial("visual.layer2.0.downsample.1.bias").largest, 0);
}

TEST(Initialize, LayerScaleStartsAtItsConfiguredValue) {
  ClipConfig config = config_with_known_sizes();
  config.vision.ls_init_value = 1e-5;
  config.text.ls_init_value = 0.1;
  Initial initial(config);
  EXPECT_NEAR(initial("visual.transformer.resblocks.0.ls_1.gamma").mean, 1e-5, 1e-12);
  EXPECT_NEAR(initial("transformer.resblocks.1.ls_2.gamma").mean, 0.1, 1e-8);
}

TEST(Initialize, DependsOnTheSeedAlone) {
  Clip<float> a(config_with_known_sizes());
  Clip<float> b(config_with_known_sizes());
  Clip<float> c(config_with_known_sizes());
  initialize(a, 1);
  initialize(b, 1);
  initialize(c, 2);
  EXPECT_TRUE(test::same_bits(a.visual.transformer().proj.weight.value, b.visual.transformer().proj.weight.value));
  EXPECT_FALSE(test::same_bits(a.visual.transformer().proj.weight.value, c.visual.transformer().proj.weight.value));
}

}  // namespace
