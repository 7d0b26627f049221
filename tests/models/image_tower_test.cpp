#include "couplet/models/image_tower.hpp"

#include <gtest/gtest.h>

#include <set>

#include "couplet/models/presets.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;

TEST(ImageTower, IsWhatTheConfigurationSays) {
  const ClipConfig vit = preset("micro-32"), resnet = preset("tiny-RN-64");
  ImageTower<float> a(vit.vision, vit.embed_dim), b(resnet.vision, resnet.embed_dim);
  EXPECT_FALSE(a.is_resnet());
  EXPECT_TRUE(b.is_resnet());
  EXPECT_FALSE(a.trains_on_batch_statistics());
  EXPECT_TRUE(b.trains_on_batch_statistics());
  EXPECT_THROW((void)a.resnet(), std::bad_variant_access);
  EXPECT_THROW((void)b.transformer(), std::bad_variant_access);
  EXPECT_EQ(a.positional_embedding().shape, (Shape{17, 128}));
  EXPECT_EQ(b.positional_embedding().shape, (Shape{5, 256}));
}

TEST(ImageTower, OnlyBatchNormHasBuffers) {
  const ClipConfig vit = preset("micro-32"), resnet = preset("tiny-RN-64");
  ImageTower<float> a(vit.vision, vit.embed_dim), b(resnet.vision, resnet.embed_dim);
  std::set<std::string> buffers;
  const auto add = [&](std::string_view name, Parameter<float>&) { buffers.emplace(name); };
  a.visit_buffers(add);
  EXPECT_TRUE(buffers.empty());
  b.visit_buffers(add);
  EXPECT_EQ(buffers.size(), 3U * (3 + 4 * 4));  // the stem's, four blocks' with a shortcut each
  EXPECT_TRUE(buffers.contains("layer4.0.downsample.1.running_mean"));
}

TEST(ImageTower, DoesWhatItsTowerDoes) {
  for (const char* name : {"micro-32", "tiny-RN-64"}) {
    const ClipConfig config = preset(name);
    ImageTower<float> tower(config.vision, config.embed_dim);
    std::uint64_t seed = 0;
    tower.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
      const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.2);
      std::copy_n(values.data(), parameter.size(), parameter.value.data());
    });
    tower.prepare();
    const Index side = config.vision.image_height;
    const auto pixels = test::random_tensor<float, 4>({2, 3, side, side}, 2);
    Tensor<float, 2> features({2, config.embed_dim}), expected({2, config.embed_dim});
    Workspace workspace;
    tower.forward(pixels, features, workspace);
    if (tower.is_resnet()) {
      tower.resnet().forward(pixels, expected, workspace);
    } else {
      tower.transformer().forward(pixels, expected, workspace);
    }
    EXPECT_TRUE(test::same_bits(features, expected)) << name;
  }
}

TEST(ImageTower, AResidualNetworkReadsImagesOfOneSize) {
  const ClipConfig config = preset("tiny-RN-64");
  const ImageTower<float> tower(config.vision, config.embed_dim);
  const Tensor<float, 3> image({3, 64, 64});
  const std::vector<TensorView<const float, 3>> images{image};
  Tensor<float, 2> features({1, config.embed_dim});
  Workspace workspace;
  EXPECT_THROW(tower.forward(std::span(images), features, workspace), std::invalid_argument);
}

}  // namespace
