#include "couplet/nn/prepare_weight.hpp"

#include "couplet/nn/conv_batch_norm.hpp"
#include "couplet/nn/multihead_attention.hpp"
#include "couplet/nn/patch_embedding.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;
using nn::Packing;

template <class M>
void fill(M& module) {
  std::uint64_t seed = 0;
  module.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    const auto values = test::random_vector<float>(parameter.size(), ++seed, 0.3, 0.1);
    std::copy_n(values.data(), parameter.size(), parameter.value.data());
  });
}

/// Of two equal layers one keeps its weights. forward(layer, y) must give the same bits, and the other one must refuse
/// every packing and precision but its own.
template <class M, class Forward>
void expect_packed_alone(M layer, Tensor<float, 2> y, const Forward& forward) {
  fill(layer);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    M kept = layer, only = layer;
    kept.prepare(precision);
    only.prepare(precision, Packing::only);
    Tensor<float, 2> expected(y.extents());
    forward(kept, expected.view());
    forward(only, y.view());
    EXPECT_TRUE(test::same_bits(y, expected));
    EXPECT_THROW(only.prepare(precision, Packing::kept), std::invalid_argument);
    EXPECT_THROW(only.prepare(precision, Packing::at_use), std::invalid_argument);
    if (simd::effective_precision(Precision::bfloat16) == Precision::bfloat16) {
      const bool was_float = precision == Precision::float32;
      EXPECT_THROW(only.prepare(was_float ? Precision::bfloat16 : Precision::float32, Packing::only),
                   std::invalid_argument);
    }
    only.prepare(precision, Packing::only);  // changes nothing
    const M copied = only;
    forward(copied, y.view());
    EXPECT_TRUE(test::same_bits(y, expected));
  }
}

TEST(PrepareWeight, LinearLayersLiveFromPackedWeightsAlone) {
  const auto x = test::random_tensor<float, 2>({5, 40}, 1);
  expect_packed_alone(nn::Linear<float>(40, 35), Tensor<float, 2>({5, 35}), [&](const auto& layer, auto y) {
    Workspace workspace;
    layer.forward(ops::Operand<float>(Tensor<float, 2>(x).view()), {}, y, workspace);
  });
}

TEST(PrepareWeight, AttentionLivesFromPackedWeightsAlone) {
  auto x = test::random_tensor<float, 2>({6, 32}, 1);
  const std::vector<Index> offsets{0, 4, 6};
  expect_packed_alone(nn::MultiheadAttention<float>(32, 2), Tensor<float, 2>({6, 32}),
                      [&](const auto& layer, TensorView<float, 2> y) {
                        Workspace workspace;
                        for (Index r = 0; r < 6; ++r) std::fill_n(y[r].data(), 32, 0.0F);
                        const ops::Operand<float> rows(x.view());
                        layer.forward(rows, Sequences(offsets), rows, Sequences(offsets), false, y, workspace, nullptr);
                      });
}

TEST(PrepareWeight, PatchEmbeddingsLiveFromPackedWeightsAlone) {
  const auto pixels = test::random_tensor<float, 4>({2, 3, 8, 8}, 1);
  expect_packed_alone(nn::PatchEmbedding<float>(24, 3, 4, true), Tensor<float, 2>({8, 24}),
                      [&](const auto& layer, auto y) {
                        Workspace workspace;
                        layer.forward(pixels, y, workspace, nullptr);
                      });
}

TEST(PrepareWeight, TrainingPassesAreRefused) {
  nn::Linear<float> linear(8, 8);
  nn::PatchEmbedding<float> patches(8, 3, 4, false);
  nn::MultiheadAttention<float> attention(8, 2);
  fill(linear);
  fill(patches);
  fill(attention);
  linear.prepare(Precision::float32, Packing::only);
  patches.prepare(Precision::float32, Packing::only);
  attention.prepare(Precision::float32, Packing::only);
  Workspace workspace;
  const auto rows = test::random_tensor<float, 2>({4, 8}, 1);
  const auto pixels = test::random_tensor<float, 4>({1, 3, 8, 8}, 1);
  Tensor<float, 2> dx({4, 8}), dxq({4, 8});
  EXPECT_THROW(linear.backward(rows, rows, dx, workspace), std::invalid_argument);
  EXPECT_THROW(linear.backward_parameters(rows, rows, workspace), std::invalid_argument);
  EXPECT_THROW(patches.backward(rows, workspace, {.pixels = pixels}), std::invalid_argument);
  const std::vector<Index> offsets{0, 4};
  nn::MultiheadAttention<float>::Saved saved;
  saved.resize(4, 4, 8, 2);
  EXPECT_THROW(
      attention.backward(rows, rows, Sequences(offsets), rows, Sequences(offsets), false, dxq, dx, workspace, saved),
      std::invalid_argument);
  EXPECT_THROW(nn::zero_grad(linear), std::invalid_argument);
}

TEST(PrepareWeight, ConvolutionsKeepTheFoldedWeightAlone) {
  const ops::FeatureMap map{2, 5, 4};
  auto x = test::random_tensor<float, 2>({map.rows(), 3}, 1);
  nn::ConvBatchNorm<float> kept(3, 4, 3, Activation::relu);
  fill(kept.conv);
  fill(kept.bn);
  for (Index c = 0; c < 4; ++c) kept.bn.running_var.value.data()[c] = 0.5F;
  nn::ConvBatchNorm<float> only = kept;
  kept.prepare();
  only.prepare(Precision::float32, Packing::only);
  Tensor<float, 2> y({map.rows(), 4}), expected({map.rows(), 4});
  Workspace workspace;
  kept.forward(x, map, false, expected, workspace);
  only.forward(x, map, false, y, workspace);
  EXPECT_TRUE(test::same_bits(y, expected));
  nn::ConvBatchNorm<float>::Saved saved;
  EXPECT_THROW(only.forward_training(x, map, y, workspace, saved), std::invalid_argument);
  EXPECT_THROW(only.prepare(), std::invalid_argument);
}

TEST(PrepareWeight, TablesLiveIn16BitsWhereThatIsExact) {
  Parameter<float> table(Shape{4, 3});
  for (Index i = 0; i < 12; ++i) table.value.data()[i] = static_cast<float>(i);
  ops::HalfMatrix half;
  nn::prepare_table(table, half, Packing::kept);
  EXPECT_TRUE(half.empty());
  Parameter<float> inexact = table;
  inexact.value.data()[11] = 0.1F;
  nn::prepare_table(inexact, half, Packing::only);
  EXPECT_TRUE(half.empty());
  EXPECT_EQ(inexact.matrix()(3, 2), 0.1F);
  nn::prepare_table(table, half, Packing::only);
  EXPECT_EQ(half.rows(), 4);
  EXPECT_TRUE(table.value.dropped());
  nn::prepare_table(table, half, Packing::only);
  EXPECT_EQ(half.rows(), 4);
  EXPECT_THROW(nn::prepare_table(table, half, Packing::kept), std::invalid_argument);
  EXPECT_EQ(half.rows(), 4);
}

}  // namespace
