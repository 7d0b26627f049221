#include "couplet/train/contrastive_step.hpp"

#include <cmath>
#include <map>

#include "couplet/optim/adamw.hpp"
#include "couplet/optim/clamp_logit_scale.hpp"
#include "couplet/optim/clip_grad_norm.hpp"
#include "couplet/optim/schedule.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "support/expect_near.hpp"
#include "support/golden_model.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;
using train::ContrastiveStep;
using train::LossKind;

template <class T>
LossKind loss_of(const Clip<T>& model) {
  return model.has_logit_bias() ? LossKind::siglip : LossKind::clip;
}

class GoldenGradients : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
    directory_ = test::shared_directory() + "/golden/models/" + GetParam();
  }

  template <class T>
  void expect_gradients(const char* file, double tolerance, double loss_tolerance) {
    Pretrained<T> bundle = load_pretrained<T>(directory_);
    const test::GoldenTensors<T> inputs(directory_ + "/golden.safetensors");
    const test::GoldenTensors<T> expected(directory_ + "/" + file);
    if (!expected.has("grad.logit_scale")) GTEST_SKIP() << "no gradients given";
    ContrastiveStep<T> step(loss_of(bundle.model));
    nn::zero_grad(bundle.model);
    const T loss = step.forward_backward(bundle.model, inputs.template read<T, 4>("pixel_values"),
                                         inputs.template read<std::int64_t, 2>("input_ids"));
    EXPECT_NEAR(loss, expected.number("loss"), loss_tolerance * std::abs(expected.number("loss")));
    const checkpoint::NameMap names = pretrained::open_model(directory_).names;
    double largest = 0;
    bundle.model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
      const double error = test::golden_error(parameter.grad, expected.parameter("grad.", name, names));
      EXPECT_LE(error, tolerance) << name;
      largest = std::max(largest, error);
    });
    RecordProperty("largest_error", test::short_text(largest));
  }

  std::string directory_;
};

/// Residual networks: with batch statistics ("train."), and in evaluation mode, which is frozen batch norm whose gains
/// and biases are trained all the same.
class GoldenResNet : public testing::Test {
 protected:
  void SetUp() override {
    if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  }

  /// The largest error of a gradient, or of a running statistic, relative to the tensor's largest component.
  template <class T>
  void run(bool training, double tolerance) {
    const std::string directory = test::shared_directory() + "/golden/models/openclip-rn";
    Clip<T> model = load_pretrained<T>(directory).model;
    const checkpoint::NameMap names = pretrained::open_model(directory).names;
    const test::GoldenTensors<T> golden(directory + "/golden.safetensors");
    model.visual.resnet().visit_batch_norms([&](nn::BatchNorm<T>& bn) { bn.frozen = !training; });
    ContrastiveStep<T> step(LossKind::clip);
    nn::zero_grad(model);
    const T loss = step.forward_backward(model, golden.template read<T, 4>("pixel_values"),
                                         golden.template read<std::int64_t, 2>("input_ids"));
    const std::string prefix = training ? "train." : "";
    EXPECT_NEAR(loss, golden.number(prefix + "loss"), 1e-5);
    EXPECT_TRUE(test::near_relative_to_max(step.image_embeds(), golden.matrix(prefix + "image_embeds"), 1e-5));
    int compared = 0;
    model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
      const std::string file_name = names.tensors_of(name).front().name;
      if (!golden.has(prefix + "grad." + file_name)) return;
      const double error = test::golden_error(parameter.grad, golden.parameter(prefix + "grad.", name, names));
      EXPECT_LE(error, tolerance) << name;
      largest_ = std::max(largest_, error);
      ++compared;
    });
    EXPECT_GE(compared, 57);
    model.visit_buffers([&](std::string_view name, Parameter<T>& buffer) {
      const std::string after = "train.after." + std::string(name);
      if (!training || name.ends_with("num_batches_tracked")) return;
      EXPECT_LE(test::golden_error(buffer.value, golden.flat(after)), 1e-5) << name;
    });
    RecordProperty("largest_error", test::short_text(largest_));
  }
  double largest_ = 0;
};

TEST_F(GoldenResNet, TrainsWithBatchStatisticsInFloat) { run<float>(true, 2e-4); }
TEST_F(GoldenResNet, TrainsWithBatchStatisticsInDouble) { run<double>(true, 2e-4); }
TEST_F(GoldenResNet, TrainsWithFrozenStatisticsInFloat) { run<float>(false, 2e-4); }
TEST_F(GoldenResNet, TrainsWithFrozenStatisticsInDouble) { run<double>(false, 2e-4); }

TEST_P(GoldenGradients, InFloat) { expect_gradients<float>("golden.safetensors", 1e-4, 1e-5); }

TEST_P(GoldenGradients, InDouble) {
  if (!std::filesystem::exists(directory_ + "/golden_f64.safetensors")) GTEST_SKIP() << "no float64 results";
  expect_gradients<double>("golden_f64.safetensors", 1e-10, 1e-11);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenGradients,
                         testing::Values("hf-clip-quickgelu", "hf-clip-gelu", "hf-clip-eos2", "hf-clip-sharded",
                                         "hf-siglip", "hf-siglip-wide", "openclip-vit", "openclip-vit-gelu",
                                         "openclip-vit-layerscale", "openclip-vit-nocausal", "openclip-siglip",
                                         "openclip-eva02"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// The golden loss is that of captions, too; these parameters have no part in it. cls_emb is what enters the text
/// tower.
template <class T>
void expect_coca_gradients(double tolerance, double cls_tolerance) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string directory = test::shared_directory() + "/golden/models/openclip-coca";
  Pretrained<T> bundle = load_pretrained<T>(directory);
  const test::GoldenTensors<T> golden(directory + "/golden.safetensors");
  ContrastiveStep<T> step(LossKind::clip);
  nn::zero_grad(bundle.model);
  const T loss = step.forward_backward(bundle.model, golden.template read<T, 4>("pixel_values"),
                                       golden.template read<std::int64_t, 2>("input_ids"));
  EXPECT_NEAR(loss, golden.number("contrastive_loss"), 1e-5);
  const checkpoint::NameMap names = pretrained::open_model(directory).names;
  int compared = 0;
  bundle.model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    const bool contrastive_alone = name == "logit_scale" || name == "cls_emb" || name == "visual.proj.weight" ||
                                   name == "text_projection.weight" || name.starts_with("ln_final.");
    if (!contrastive_alone) return;
    EXPECT_LE(test::golden_error(parameter.grad, golden.parameter("grad.", name, names)),
              name == "cls_emb" ? cls_tolerance : tolerance)
        << name;
    ++compared;
  });
  EXPECT_EQ(compared, 6);
}

TEST(GoldenCoca, ContrastiveLossAndGradientsInFloat) { expect_coca_gradients<float>(1e-4, 1e-4); }
TEST(GoldenCoca, ContrastiveLossAndGradientsInDouble) { expect_coca_gradients<double>(1e-5, 1e-5); }

/// The ten steps of golden/training: AdamW, warm-up and cosine, clipping, clamp of logit_scale.
template <class T>
void expect_trajectory(const char* file, double loss_tolerance, double parameter_tolerance) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string folder = test::shared_directory() + "/golden/training/";
  Pretrained<T> bundle = load_pretrained<T>(folder + "model");
  Clip<T>& model = bundle.model;
  const test::GoldenTensors<T> batches(folder + "batches.safetensors");
  const test::GoldenTensors<T> expected(folder + file);
  const auto pixels = batches.template read<T, 5>("pixel_values");
  const auto ids = batches.template read<std::int64_t, 3>("input_ids");
  const auto rates = expected.template read<double, 1>("lr");
  const auto losses = expected.template read<double, 1>("loss");
  const auto norms = expected.template read<double, 1>("grad_norm");
  const auto scales = expected.template read<double, 1>("logit_scale");

  optim::AdamW<T> optimizer(model);
  const optim::LearningRateSchedule schedule{.base = 0.004, .warmup = 3, .steps = 10};
  const T limit = optim::logit_scale_limit(model.log_scale());
  ContrastiveStep<T> step(LossKind::clip);
  Workspace workspace;
  for (Index k = 0; k < 10; ++k) {
    optimizer.zero_grad();
    const T loss = step.forward_backward(model, pixels.view()[k], ids.view()[k]);
    EXPECT_NEAR(loss, losses(k), loss_tolerance * losses(k)) << "step " << k;
    const optim::GradientNorm norm = optim::gradient_norm(model, workspace);
    EXPECT_NEAR(norm.norm, norms(k), 10 * loss_tolerance * norms(k)) << "step " << k;
    EXPECT_NEAR(schedule.at(k), rates(k), 1e-12);
    optimizer.step(schedule.at(k), optim::clip_coefficient(norm.norm, 1.0));
    optim::clamp_logit_scale(model.logit_scale, limit);
    model.prepare();
    EXPECT_NEAR(model.log_scale(), scales(k), parameter_tolerance) << "step " << k;
    const std::string prefix = "after_" + std::to_string(k + 1) + ".";
    if (!expected.has(prefix + "logit_scale")) continue;
    model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
      const std::vector<T> values = expected.parameter(prefix, name, checkpoint::NameMap::hugging_face(false));
      double error = 0;
      for (Index i = 0; i < parameter.size(); ++i) {
        const auto difference = parameter.value.data()[i] - values[static_cast<std::size_t>(i)];
        error = std::max(error, std::abs(static_cast<double>(difference)));
      }
      EXPECT_LE(error, parameter_tolerance) << prefix << name;
    });
  }
}

TEST(GoldenTraining, TenStepsInDouble) { expect_trajectory<double>("steps_f64.safetensors", 1e-9, 1e-9); }
TEST(GoldenTraining, TenStepsInFloat) { expect_trajectory<float>("steps_f32.safetensors", 1e-4, 1e-3); }

ClipConfig small_config(bool siglip) {
  ClipConfig config;
  config.embed_dim = 8;
  config.vision = {.image_height = 8,
                   .image_width = 8,
                   .patch_size = 4,
                   .width = 8,
                   .layers = 1,
                   .heads = 2,
                   .mlp_width = 12,
                   .eps = 1e-3};
  config.text = {.vocab_size = 20,
                 .context_length = 6,
                 .width = 8,
                 .layers = 1,
                 .heads = 2,
                 .mlp_width = 12,
                 .eps = 1e-3,
                 .eot_token_id = 19,
                 .bos_token_id = 18,
                 .pad_token_id = 19};
  return siglip ? as_siglip(config) : config;
}

/// CLIP, SigLIP, EVA02, and CoCa with texts padded by the id that random_ids() puts into them.
std::vector<ClipConfig> small_configs() {
  ClipConfig coca = as_coca(small_config(false));
  coca.vision.pooler_queries = 3;
  coca.vision.pooler_heads = 2;
  coca.embed_dim = 6;
  coca.text.pad_token_id = 19;
  ClipConfig eva02 = small_config(false);
  eva02.vision = as_eva02(eva02.vision);
  return {small_config(false), small_config(true), eva02, coca};
}

Tensor<std::int64_t, 2> random_ids(Index batch) {
  Tensor<std::int64_t, 2> ids({batch, 6});
  Random random(3);
  for (Index i = 0; i < ids.size(); ++i) ids.data()[i] = static_cast<std::int64_t>(random.below(18));
  for (Index b = 0; b < batch; ++b) ids(b, 1 + b % 5) = 19;
  return ids;
}

TEST(ContrastiveStep, WholeModelGradientsOfBothLosses) {
  for (const ClipConfig& config : small_configs()) {
    Clip<double> model(config);
    test::randomize(model, 1);
    *model.logit_scale.value.data() = 1.2;
    const auto pixels = test::random_tensor<double, 4>({5, 3, 8, 8}, 2);
    const auto ids = random_ids(5);
    ContrastiveStep<double> step(loss_of(model));
    const auto loss = [&] {
      model.prepare();
      return step.forward_backward(model, pixels, ids);
    };
    nn::zero_grad(model);
    loss();
    Clip<double> analytic = model;  // gradients go on accumulating in `model` while the differences are taken
    std::vector<const Parameter<double>*> gradients;
    analytic.visit_parameters([&](std::string_view, Parameter<double>& p) { gradients.push_back(&p); });
    std::size_t number = 0;
    model.visit_parameters([&](std::string_view name, Parameter<double>& p) {
      const auto size = static_cast<std::size_t>(p.size());
      EXPECT_TRUE(test::check_gradient(loss, {p.value.data(), size}, {gradients[number++]->grad.data(), size}, 1e-7, 4))
          << name;
    });
  }
}

TEST(ContrastiveStep, AFrozenTowerGetsNoGradientAndChangesNoOther) {
  Clip<double> model(small_config(false));
  test::randomize(model, 1);
  model.prepare();
  const auto pixels = test::random_tensor<double, 4>({5, 3, 8, 8}, 2);
  const auto ids = random_ids(5);
  nn::zero_grad(model);
  ContrastiveStep<double> whole(LossKind::clip);
  const double loss = whole.forward_backward(model, pixels, ids);
  Clip<double> frozen = model;
  nn::set_trainable(frozen.visual, false);
  nn::zero_grad(frozen);
  ContrastiveStep<double> locked(LossKind::clip);
  EXPECT_EQ(locked.forward_backward(frozen, pixels, ids), loss);
  EXPECT_FALSE(frozen.visual.transformer().proj.weight.has_grad());
  EXPECT_TRUE(test::same_bits(frozen.text.text_projection.weight.grad, model.text.text_projection.weight.grad));
}

TEST(ContrastiveStep, GradientsDoNotDependOnThreads) {
  for (const ClipConfig& config : small_configs()) {
    Clip<float> model(config);
    std::uint64_t seed = 0;
    model.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
      const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.3);
      std::copy_n(values.data(), parameter.size(), parameter.value.data());
    });
    model.prepare();
    const auto pixels = test::random_tensor<float, 4>({37, 3, 8, 8}, 2);
    const auto ids = random_ids(37);
    std::vector<Clip<float>> results;
    for (const int threads : {1, 2, 3}) {
      const ThreadLimit limit(threads);
      nn::zero_grad(model);
      ContrastiveStep<float> step(loss_of(model));
      (void)step.forward_backward(model, pixels, ids);
      results.push_back(model);
    }
    std::vector<std::vector<const Parameter<float>*>> lists;
    for (Clip<float>& result : results) {
      lists.emplace_back();
      result.visit_parameters([&](std::string_view, Parameter<float>& p) { lists.back().push_back(&p); });
    }
    for (std::size_t i = 0; i < lists[0].size(); ++i) {
      EXPECT_TRUE(test::same_bits(lists[0][i]->grad, lists[1][i]->grad));
      EXPECT_TRUE(test::same_bits(lists[0][i]->grad, lists[2][i]->grad));
    }
  }
}

/// The gradients of `model` at one batch, by name.
std::map<std::string, std::vector<double>> gradients_of(Clip<double> model, LossKind loss, Index micro_batch,
                                                        const Pictures<double>& pictures,
                                                        const Tensor<std::int64_t, 2>& ids, double& value) {
  nn::zero_grad(model);
  value = ContrastiveStep<double>(loss, micro_batch).forward_backward(model, pictures, ids);
  std::map<std::string, std::vector<double>> all;
  model.visit_parameters([&](std::string_view name, Parameter<double>& p) {
    all[std::string(name)].assign(p.grad.data(), p.grad.data() + p.grad.size());
  });
  return all;
}

void expect_micro_batches_give_the_whole_batch(const Pictures<double>& pictures) {
  const auto ids = random_ids(pictures.extent(0));
  for (const ClipConfig& config : small_configs()) {
    if (!pictures.patches.empty() && !config.vision.may_drop_patches()) continue;
    Clip<double> model(config);
    const LossKind kind = loss_of(model);
    test::randomize(model, 1);
    *model.logit_scale.value.data() = 1.2;
    model.prepare();
    double loss = 0;
    const auto whole = gradients_of(model, kind, 0, pictures, ids, loss);
    for (const Index micro_batch : {1, 2, 3, 4, 5, 6, 10, 11, 40}) {
      double cached_loss = 0;
      const auto cached = gradients_of(model, kind, micro_batch, pictures, ids, cached_loss);
      EXPECT_EQ(cached_loss, loss) << micro_batch;
      for (const auto& [name, values] : whole) {
        double largest = 1e-3;
        for (const double value : values) largest = std::max(largest, std::abs(value));
        for (std::size_t i = 0; i < values.size(); ++i) {
          ASSERT_NEAR(cached.at(name)[i], values[i], 1e-12 * largest) << name << ", micro-batch " << micro_batch;
        }
      }
      EXPECT_EQ(cached.at("logit_scale"), whole.at("logit_scale"));
      if (model.has_logit_bias()) {
        EXPECT_EQ(cached.at("logit_bias"), whole.at("logit_bias"));
      }
    }
  }
}

TEST(ContrastiveStep, MicroBatchesGiveTheGradientsOfTheWholeBatch) {
  const auto pixels = test::random_tensor<double, 4>({11, 3, 8, 8}, 2);
  expect_micro_batches_give_the_whole_batch({pixels});
}

TEST(ContrastiveStep, MicroBatchesSeeTheSamePatches) {
  const auto pixels = test::random_tensor<double, 4>({11, 3, 8, 8}, 2);
  Tensor<Index, 2> seen({11, 2});
  for (Index i = 0; i < 22; ++i) seen.data()[i] = (i + i / 4) % 4;
  expect_micro_batches_give_the_whole_batch({pixels, seen.view()});
}

TEST(ContrastiveStep, AFrozenTowerIsNotRunTwiceForMicroBatches) {
  Clip<double> model(small_config(false));
  test::randomize(model, 1);
  model.prepare();
  nn::set_trainable(model.visual, false);
  const auto pixels = test::random_tensor<double, 4>({5, 3, 8, 8}, 2);
  double loss = 0;
  const auto whole = gradients_of(model, LossKind::clip, 0, {pixels}, random_ids(5), loss);
  const auto cached = gradients_of(model, LossKind::clip, 2, {pixels}, random_ids(5), loss);
  EXPECT_TRUE(cached.at("visual.proj.weight").empty());
  const std::vector<double>& expected = whole.at("text_projection.weight");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(cached.at("text_projection.weight")[i], expected[i], 1e-12);
  }
}

TEST(ContrastiveStep, RefusesBatchesOfDifferentSize) {
  Clip<float> model(small_config(false));
  model.prepare();
  ContrastiveStep<float> step(LossKind::clip);
  const Tensor<float, 4> pixels({3, 3, 8, 8});
  EXPECT_THROW((void)step.forward_backward(model, pixels, random_ids(2)), std::invalid_argument);
}

}  // namespace
