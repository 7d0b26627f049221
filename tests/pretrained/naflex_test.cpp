// SigLIP 2 NaFlex: images of different sizes in one batch.
#include <cmath>
#include <span>

#include "couplet/losses/siglip_loss.hpp"
#include "couplet/ops/l2_normalize.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "support/expect_near.hpp"
#include "support/golden_model.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

/// The golden patches (B, P, 3 p p) as images: a patch is (row, column, channel), padding is left out.
template <class T>
std::vector<Tensor<T, 3>> images_of_patches(const test::GoldenTensors<T>& golden, Index p) {
  const auto patches = golden.template read<T, 3>("pixel_values");
  const auto shapes = golden.template read<std::int64_t, 2>("spatial_shapes");
  std::vector<Tensor<T, 3>> images;
  for (Index b = 0; b < patches.extent(0); ++b) {
    const Index height = shapes(b, 0) * p, width = shapes(b, 1) * p;
    Tensor<T, 3> image({3, height, width});
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x) {
        for (Index c = 0; c < 3; ++c) {
          image(c, y, x) = patches(b, y / p * shapes(b, 1) + x / p, ((y % p) * p + x % p) * 3 + c);
        }
      }
    }
    images.push_back(std::move(image));
  }
  return images;
}

template <class T>
void expect_naflex_features(const char* file, double tolerance) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string directory = test::shared_directory() + "/golden/models/hf-siglip2-naflex";
  Pretrained<T> bundle = load_pretrained<T>(directory);
  const test::GoldenTensors<T> inputs(directory + "/golden.safetensors");
  const test::GoldenTensors<T> expected(directory + "/" + file);
  const auto images = images_of_patches(inputs, bundle.model.config().vision.patch_size);
  const std::vector<TensorView<const T, 3>> views(images.begin(), images.end());
  const auto ids = inputs.template read<std::int64_t, 2>("input_ids");
  const Index count = std::ssize(images);
  Tensor<T, 2> features({count, bundle.embed_dim()}), alone({1, bundle.embed_dim()});
  Workspace workspace;
  bundle.model.encode_image(std::span<const TensorView<const T, 3>>(views), features, workspace);
  const double image_error = test::relative_error(features, expected.matrix("image_features"));
  EXPECT_LE(image_error, tolerance);
  for (Index b = 0; b < count; ++b) {  // whatever the neighbours' sizes
    bundle.model.encode_image(std::span(views).subspan(static_cast<std::size_t>(b), 1), alone, workspace);
    EXPECT_TRUE(test::same_bits(alone[0], features[b]));
  }
  bundle.model.encode_text(ids, features, workspace);
  const double text_error = test::relative_error(features, expected.matrix("text_features"));
  EXPECT_LE(text_error, tolerance);
  testing::Test::RecordProperty("image_error", test::short_text(image_error));
  testing::Test::RecordProperty("text_error", test::short_text(text_error));
  const test::TemporaryDirectory folder;
  if constexpr (std::is_same_v<T, float>) {
    save_pretrained(bundle, folder.path());
    const std::string weights = "/model.safetensors";
    EXPECT_EQ(io::read_file(folder.path() + weights, 1U << 20U), io::read_file(directory + weights, 1U << 20U));
  }
}

TEST(GoldenNaflex, FeaturesInFloatAndEqualBytesWhenSaved) { expect_naflex_features<float>("golden.safetensors", 1e-5); }
TEST(GoldenNaflex, FeaturesInDouble) { expect_naflex_features<double>("golden_f64.safetensors", 1e-10); }

template <class T>
void expect_naflex_gradients(double tolerance, double loss_tolerance) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string directory = test::shared_directory() + "/golden/models/hf-siglip2-naflex";
  Clip<T> model = load_pretrained<T>(directory).model;
  const test::GoldenTensors<T> golden(directory + "/golden.safetensors");
  const auto images = images_of_patches(golden, model.config().vision.patch_size);
  const std::vector<TensorView<const T, 3>> views(images.begin(), images.end());
  const Index count = std::ssize(images);
  Workspace workspace;
  typename ImageTower<T>::Saved saved_visual;
  typename TextTransformer<T>::Saved saved_text;
  struct Side {
    Tensor<T, 2> features, embeds, dembeds, dfeatures;
    Tensor<T, 1> norms;
    Side(Index n, Index e) : features({n, e}), embeds({n, e}), dembeds({n, e}), dfeatures({n, e}), norms({n}) {}
  };
  Side image(count, model.embed_dim()), text(count, model.embed_dim());
  nn::zero_grad(model);
  model.visual.forward(std::span(views), image.features, workspace, &saved_visual);
  model.text.forward(golden.template read<std::int64_t, 2>("input_ids"), text.features, workspace, &saved_text);
  for (Side* side : {&image, &text}) ops::l2_normalize_forward<T>(side->features, side->embeds, side->norms);
  losses::ContrastiveGradients<T> gradients{.image_features = image.dembeds, .text_features = text.dembeds};
  const T loss = losses::SigLipLoss<T>().forward_backward(image.embeds, text.embeds, model.log_scale(), model.bias(),
                                                          gradients, workspace);
  EXPECT_NEAR(loss, golden.number("loss"), loss_tolerance * std::abs(golden.number("loss")));
  for (Side* side : {&image, &text}) {
    ops::l2_normalize_backward<T>(side->dembeds, side->embeds, side->norms, side->dfeatures);
  }
  model.visual.backward(image.dfeatures, workspace, saved_visual);
  model.text.backward(text.dfeatures, workspace, saved_text);
  model.logit_scale.grad_vector()[0] = gradients.logit_scale;
  model.logit_bias.grad_vector()[0] = gradients.logit_bias;
  const checkpoint::NameMap names = pretrained::open_model(directory).names;
  double largest = 0;
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    const double error = test::golden_error(parameter.grad, golden.parameter("grad.", name, names));
    EXPECT_LE(error, tolerance) << name;
    largest = std::max(largest, error);
  });
  testing::Test::RecordProperty("largest_error", test::short_text(largest));
}

// The golden gradients are float32's, also for double.
TEST(GoldenNaflex, GradientsInFloat) { expect_naflex_gradients<float>(1e-4, 1e-5); }
TEST(GoldenNaflex, GradientsInDouble) { expect_naflex_gradients<double>(1e-5, 1e-6); }

TEST(Naflex, EncodesPicturesOfAnyShape) {
  ClipConfig config = as_siglip(test::small_bundle().model.config());
  config.vision.max_patches = 12;
  Pretrained<float> bundle{.model = Clip<float>(config),
                           .transform = image::Transform(image::naflex_config(8, 12).transform)};
  initialize(bundle.model, 1);
  auto images = test::random_images(3);
  images[1].width = 8;
  images[1].height = 180;
  const Tensor<float, 2> features = bundle.encode_image(images);
  EXPECT_TRUE(test::same_bits(bundle.encode_image(images[1])[0], features[1]));
  const test::TemporaryDirectory folder;
  save_pretrained(bundle, folder.path());
  EXPECT_TRUE(test::same_bits(load_pretrained(folder.path()).encode_image(images), features));
  EXPECT_THROW((void)load_pretrained(folder.path(), {.image_size = image::Size{32, 32}}), std::invalid_argument);
}

}  // namespace
