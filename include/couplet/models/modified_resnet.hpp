#pragma once
/// The image tower of CLIP's ResNets (RN50 ... RN50x64): a ResNet-D whose stem has three convolutions, whose strides
/// are average pools, and whose end is an attention pool.
///   stem (3 convolutions 3 x 3, the first with stride 2; average pool): H / 4   layer1 ... layer4: H / 4 ... H / 32
/// Radford et al., 2021, section 2.4; He, T. et al., "Bag of Tricks for Image Classification", 2019; names as
/// open_clip's ModifiedResNet.
///
/// Inference takes a few images at a time through all layers on one thread. Training works on the whole batch, layer by
/// layer, since batch norm looks at all of its images; prepare() the tower after each backward pass, which changes
/// running statistics.
#include <string>
#include <vector>

#include "couplet/models/config.hpp"
#include "couplet/nn/attention_pool_2d.hpp"
#include "couplet/nn/bottleneck.hpp"

namespace couplet::inline COUPLET_ABI {

template <class T>
class ModifiedResNet {
 public:
  using Block = nn::Bottleneck<T>;

  struct Saved {
    Tensor<T, 2> pixels;  // (B H W, 3)
    std::array<typename nn::ConvBatchNorm<T>::Saved, 3> stem;
    Tensor<T, 2> embedded;  // (B H/4 W/4, C), what enters layer1
    std::vector<typename Block::Saved> blocks;
    typename nn::AttentionPool2d<T>::Saved attnpool;
    Index batch = 0;
  };

  ModifiedResNet() = default;
  ModifiedResNet(const VisionConfig& config, Index embed_dim)
      : attnpool(config.tokens(), config.resnet_features(), config.heads, embed_dim),
        config_(config),
        embed_dim_(embed_dim) {
    const Index width = config.width;
    stem[0] = nn::ConvBatchNorm<T>(config.channels, width / 2, 3, Activation::relu, 2);
    stem[1] = nn::ConvBatchNorm<T>(width / 2, width / 2, 3, Activation::relu);
    stem[2] = nn::ConvBatchNorm<T>(width / 2, width, 3, Activation::relu);
    Index in = width;
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const Index channels = width << layer;
      for (Index i = 0; i < (*config.resnet_layers)[layer]; ++i) {
        layers[layer].emplace_back(in, channels, i == 0 && layer > 0 ? 2 : 1);
        in = layers[layer].back().out_channels();
      }
    }
    visit_batch_norms([&](nn::BatchNorm<T>& bn) { bn.eps = config.eps; });
  }

  [[nodiscard]] const VisionConfig& config() const { return config_; }
  [[nodiscard]] Index embed_dim() const { return embed_dim_; }

  /// After loading, after every step of an optimiser and every backward pass. Packed weights are kept, at_use too.
  void prepare(Precision precision = Precision::float32, nn::Packing packing = nn::Packing::kept) {
    if (packing == nn::Packing::at_use) packing = nn::Packing::kept;
    for (auto& unit : stem) unit.prepare(precision, packing);
    for (auto& layer : layers) {
      for (Block& block : layer) block.prepare(precision, packing);
    }
    attnpool.prepare(precision, packing);
  }

  /// Batch norm keeps its running statistics and normalises with them in training, too; its gains and biases are no
  /// longer trained (open_clip's freeze_batch_norm_2d).
  void freeze_batch_norm() {
    visit_batch_norms([](nn::BatchNorm<T>& bn) {
      bn.frozen = true;
      nn::set_trainable(bn, false);
    });
  }

  /// pixels: (B, 3, H, W), normalised as the model's transform does   features: (B, E), before l2 normalisation.
  /// With `saved` it is a training pass: batch norm takes the statistics of this batch.
  void forward(TensorView<const T, 4> pixels, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    check(pixels, features);
    const Index batch = pixels.extent(0);
    if (saved != nullptr) return forward_training(pixels, features, workspace, *saved);
    const Index threads = available_threads();
    const Index images = std::clamp<Index>(batch / threads, 1, images_per_task);
    parallel_for(workspace, (batch + images - 1) / images, [&](Index i, Workspace& local) {
      const Index end = std::min(batch, (i + 1) * images);
      forward_images(pixels.slice(i * images, end), features.slice(i * images, end), local);
    });
  }

  /// dfeatures: (B, E). Adds to the gradients of all parameters, and lets running statistics follow the batch's.
  void backward(TensorView<const T, 2> dfeatures, Workspace& workspace, const Saved& saved) {
    if (saved.batch == 0) return;
    const Workspace::Scope scope(workspace);
    const ops::FeatureMap image{saved.batch, config_.image_height, config_.image_width};
    std::array<TensorView<T, 2>, 2> gradients;  // of a block's output and input, in turn
    for (auto& each : gradients) each = workspace.matrix<T>(1, largest_activation(image));
    ops::FeatureMap map = image.divided(32);
    TensorView<T, 2> dy = as_rows(gradients[0], map, config_.resnet_features());
    attnpool.backward(dfeatures, dy, workspace, saved.attnpool);
    std::size_t number = saved.blocks.size();
    for (std::size_t layer = layers.size(); layer-- > 0;) {
      for (std::size_t i = layers[layer].size(); i-- > 0;) {
        const TensorView<const T, 2> x = --number == 0 ? saved.embedded.view() : saved.blocks[number - 1].y.view();
        map = input_map(image, layer, i);
        std::swap(gradients[0], gradients[1]);
        const TensorView<T, 2> dx = as_rows(gradients[0], map, x.extent(1));
        layers[layer][i].backward(dy, x, map, dx, workspace, saved.blocks[number]);
        dy = dx;
      }
    }
    backward_stem(dy, image, workspace, saved);
  }

  template <class F>
  void visit_parameters(F&& f) {
    for (std::size_t i = 0; i < stem.size(); ++i) {
      nn::visit_child("conv" + std::to_string(i + 1) + ".", stem[i].conv, f);
      nn::visit_child("bn" + std::to_string(i + 1) + ".", stem[i].bn, f);
    }
    for_each_block([&](Block& block, std::string_view name) { nn::visit_child(name, block, f); });
    nn::visit_child("attnpool.", attnpool, f);
  }
  template <class F>
  void visit_buffers(F&& f) {
    for (std::size_t i = 0; i < stem.size(); ++i) {
      nn::visit_child_buffers("bn" + std::to_string(i + 1) + ".", stem[i].bn, f);
    }
    for_each_block([&](Block& block, std::string_view name) { nn::visit_child_buffers(name, block, f); });
  }
  /// f(batch_norm)
  template <class F>
  void visit_batch_norms(F&& f) {
    for (auto& unit : stem) f(unit.bn);
    for_each_block([&](Block& block, std::string_view) { block.visit_batch_norms(f); });
  }

  std::array<nn::ConvBatchNorm<T>, 3> stem;
  std::array<std::vector<Block>, 4> layers;
  nn::AttentionPool2d<T> attnpool;

 private:
  static constexpr Index images_per_task = 4;  ///< so that the last layers read their weights for some 200 rows

  /// f(block, "layer1.0."), in order.
  template <class F>
  void for_each_block(F&& f) {
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      for (std::size_t i = 0; i < layers[layer].size(); ++i) {
        f(layers[layer][i], "layer" + std::to_string(layer + 1) + "." + std::to_string(i) + ".");
      }
    }
  }

  /// The pixels that enter block i of a layer: the first block of layers 2, 3 and 4 halves them.
  static ops::FeatureMap input_map(const ops::FeatureMap& image, std::size_t layer, std::size_t i) {
    return image.divided(Index{4} << (layer > 0 && i == 0 ? layer - 1 : layer));
  }

  /// Elements of the largest matrix that a block reads or writes: what enters or leaves layer1.
  [[nodiscard]] Index largest_activation(const ops::FeatureMap& image) const {
    return image.divided(4).rows() * Block::expansion * config_.width;
  }
  static TensorView<T, 2> as_rows(TensorView<T, 2> memory, const ops::FeatureMap& map, Index channels) {
    return {memory.data(), {map.rows(), channels}};
  }

  void check(TensorView<const T, 4> pixels, TensorView<T, 2> features) const {
    const Shape expected{pixels.extent(0), config_.channels, config_.image_height, config_.image_width};
    if (!(pixels.shape() == expected)) {
      fail("encode_image", "pixels " + to_string(pixels.shape()) + ", but the model reads " + to_string(expected));
    }
    if (features.extent(0) != pixels.extent(0) || features.extent(1) != embed_dim_) {
      fail("encode_image",
           "features " + to_string(features.shape()) + ", expected " + to_string(Shape{pixels.extent(0), embed_dim_}));
    }
  }

  void forward_images(TensorView<const T, 4> pixels, TensorView<T, 2> features, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    const ops::FeatureMap image{pixels.extent(0), config_.image_height, config_.image_width};
    std::array<TensorView<T, 2>, 2> activations;  // of a block's output and input, in turn
    for (auto& each : activations) each = workspace.matrix<T>(1, largest_activation(image));
    TensorView<T, 2> x = as_rows(activations[0], image.divided(4), config_.width);
    forward_stem(pixels, x, workspace);
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      for (std::size_t i = 0; i < layers[layer].size(); ++i) {
        const Block& block = layers[layer][i];
        const ops::FeatureMap map = input_map(image, layer, i);
        std::swap(activations[0], activations[1]);
        const TensorView<T, 2> y = as_rows(activations[0], block.output(map), block.out_channels());
        block.forward(x, map, y, workspace);
        x = y;
      }
    }
    attnpool.forward(x, features, workspace, nullptr);
  }

  void forward_stem(TensorView<const T, 4> pixels, TensorView<T, 2> embedded, Workspace& workspace) const {
    const Workspace::Scope scope(workspace);
    ops::FeatureMap map{pixels.extent(0), config_.image_height, config_.image_width};
    TensorView<T, 2> x = workspace.matrix<T>(map.rows(), config_.channels);
    ops::image_to_rows(pixels, x);
    for (const auto& unit : stem) {
      const TensorView<T, 2> y = workspace.matrix<T>(unit.output(map).rows(), unit.out_channels());
      unit.forward(x, map, false, y, workspace);
      map = unit.output(map);
      x = y;
    }
    ops::average_pool_2d_forward<T>(x, map, 2, embedded);
  }

  void forward_training(TensorView<const T, 4> pixels, TensorView<T, 2> features, Workspace& workspace,
                        Saved& saved) const {
    const ops::FeatureMap image{pixels.extent(0), config_.image_height, config_.image_width};
    saved.batch = image.batch;
    if (image.batch == 0) return;
    forward_stem_training(pixels, image, workspace, saved);
    std::size_t count = 0;
    for (const auto& layer : layers) count += layer.size();
    saved.blocks.resize(count);
    TensorView<const T, 2> x = saved.embedded.view();
    std::size_t number = 0;
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      for (std::size_t i = 0; i < layers[layer].size(); ++i, ++number) {
        layers[layer][i].forward_training(x, input_map(image, layer, i), workspace, saved.blocks[number]);
        x = saved.blocks[number].y.view();
      }
    }
    attnpool.forward(x, features, workspace, &saved.attnpool);
  }

  void forward_stem_training(TensorView<const T, 4> pixels, const ops::FeatureMap& image, Workspace& workspace,
                             Saved& saved) const {
    const Workspace::Scope scope(workspace);
    saved.pixels.resize({image.rows(), config_.channels});
    ops::image_to_rows<T>(pixels, saved.pixels);
    TensorView<const T, 2> x = saved.pixels.view();
    ops::FeatureMap map = image;
    for (std::size_t i = 0; i < stem.size(); ++i) {
      const TensorView<T, 2> y = workspace.matrix<T>(stem[i].output(map).rows(), stem[i].out_channels());
      stem[i].forward_training(x, map, y, workspace, saved.stem[i]);
      map = stem[i].output(map);
      x = y;
    }
    saved.embedded.resize({map.divided(2).rows(), config_.width});
    ops::average_pool_2d_forward<T>(x, map, 2, saved.embedded);
  }

  /// Images are data, so nothing is propagated to the pixels.
  void backward_stem(TensorView<const T, 2> dembedded, const ops::FeatureMap& image, Workspace& workspace,
                     const Saved& saved) {
    const Workspace::Scope scope(workspace);
    const ops::FeatureMap half = image.divided(2);
    std::array<TensorView<T, 2>, 3> a, da;
    for (std::size_t i = 0; i < stem.size(); ++i) {
      a[i] = workspace.matrix<T>(half.rows(), stem[i].out_channels());
      da[i] = workspace.matrix<T>(half.rows(), stem[i].out_channels());
      stem[i].recompute(saved.stem[i], a[i], workspace);
    }
    ops::average_pool_2d_backward<T>(dembedded, half, 2, da[2], false);
    stem[2].backward(da[2], a[2], a[1], half, da[1], workspace, saved.stem[2]);
    stem[1].backward(da[1], a[1], a[0], half, da[0], workspace, saved.stem[1]);
    stem[0].backward(da[0], a[0], saved.pixels.view(), image, {}, workspace, saved.stem[0]);
  }

  VisionConfig config_;
  Index embed_dim_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI
