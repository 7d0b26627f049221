#include "couplet/nn/bottleneck.hpp"

#include <set>

#include "support/batch_norm_buffers.hpp"
#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;
using ResNetBlock = nn::Bottleneck<double>;

const ops::FeatureMap block_map{2, 4, 6};

struct Variant {
  Index in_channels, channels, stride;
};
constexpr Variant variants[] = {
    {8, 2, 1}, {5, 2, 1}, {8, 3, 2}};  // the shortcut is x, a convolution, pool and convolution

ResNetBlock make_resnet_block(const Variant& v) {
  ResNetBlock block(v.in_channels, v.channels, v.stride);
  test::randomize(block, 1);
  test::randomize_buffers<double>(block, 50);
  block.prepare();
  return block;
}

TEST(Bottleneck, InferenceIsTrainingWithFrozenStatistics) {
  for (const Variant& v : variants) {
    ResNetBlock block = make_resnet_block(v);
    block.visit_batch_norms([](nn::BatchNorm<double>& bn) { bn.frozen = true; });
    auto x = test::random_matrix<double>(block_map.rows(), v.in_channels, 2);
    Workspace workspace;
    ResNetBlock::Saved saved;
    block.forward_training(x, block_map, workspace, saved);
    Tensor<double, 2> y({block.output(block_map).rows(), block.out_channels()});
    block.forward(x, block_map, y, workspace);
    EXPECT_TRUE(test::near_relative_to_max(y, saved.y, 1e-13));
  }
}

TEST(Bottleneck, HasTrueGradients) {
  for (const Variant& v : variants) {
    ResNetBlock block = make_resnet_block(v);
    auto x = test::random_matrix<double>(block_map.rows(), v.in_channels, 2);
    const auto dy = test::random_matrix<double>(block.output(block_map).rows(), block.out_channels(), 3);
    Tensor<double, 2> dx(x.extents());
    Workspace workspace;
    ResNetBlock::Saved saved;
    const auto loss = [&] {
      block.forward_training(x, block_map, workspace, saved);
      return test::inner_product(test::elements(dy), test::elements(saved.y));
    };
    loss();
    nn::zero_grad(block);
    Tensor<double, 2> scratch = dy;
    block.backward(scratch, x, block_map, dx, workspace, saved);
    test::expect_parameter_gradients(block, loss, 1e-7, 20, test::smooth_step);
    EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx), 1e-7, 200, test::smooth_step));
  }
}

TEST(Bottleneck, NamesItsPartsAsOpenClipDoes) {
  const auto names = [](ResNetBlock block) {
    std::set<std::string> all;
    nn::visit_state(block, [&](std::string_view name, Parameter<double>&) { all.emplace(name); });
    return all;
  };
  const auto all = names(ResNetBlock(5, 2, 1));
  EXPECT_EQ(all.size(), 4U * 6U);
  for (const char* name : {"conv1.weight", "bn2.bias", "conv3.weight", "downsample.0.weight", "downsample.1.weight",
                           "downsample.1.running_var", "bn3.num_batches_tracked"}) {
    EXPECT_TRUE(all.contains(name)) << name;
  }
  EXPECT_EQ(names(ResNetBlock(8, 2, 1)).size(), 3U * 6U);
}

}  // namespace
