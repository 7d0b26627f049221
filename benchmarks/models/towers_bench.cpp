// Whole towers of ViT-B/32 with random weights: images or texts per second.
//   image_tower/bf16/B:32    text_tower/f32/B:32/T:77
// T is the number of tokens that a text really has, end included. gflops counts the nominal work of the tower (8.82
// GFLOP an image, 5.96 a text of 77 tokens); what couplet leaves out of the last block counts as done.
#include <benchmark/benchmark.h>

#include "../peak.hpp"
#include "couplet/models/clip.hpp"
#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"

namespace {

using namespace couplet;

/// Products of one sequence: 4 projections and 2 of the MLP per block, attention.
double block_operations(double tokens, double width, double mlp, double layers) {
  return layers * (2 * tokens * (4 * width * width + 2 * width * mlp) + 4 * tokens * tokens * width);
}

Clip<float>& model() {
  static Clip<float> clip = [] {
    Clip<float> made(preset("ViT-B-32"));
    initialize(made, 1);
    return made;
  }();
  return clip;
}

/// False, with a message, when this machine has no products in this precision.
bool prepare(benchmark::State& state, Precision precision) {
  if (model().precision() != precision) model().prepare(precision);
  if (model().precision() == precision) return true;
  state.SkipWithError("no products in bfloat16 on this machine");
  return false;
}

void image_tower(benchmark::State& state, Precision precision) {
  if (!prepare(state, precision)) return;
  const VisionConfig& v = model().config().vision;
  const Index batch = state.range(0);
  Tensor<float, 4> pixels({batch, 3, v.image_height, v.image_width});
  Random random(1);
  for (Index i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<float>(random.normal());
  Tensor<float, 2> features({batch, model().embed_dim()});
  Workspace workspace;
  const auto patches = static_cast<double>(v.tokens() - 1), width = static_cast<double>(v.width);
  const double each =
      block_operations(patches + 1, width, static_cast<double>(v.mlp_width), static_cast<double>(v.layers)) +
      2 * patches * static_cast<double>(3 * v.patch_size * v.patch_size) * width;
  bench::Meter meter(state, static_cast<double>(batch) * each, available_threads());
  for (auto _ : state) meter.run([&] { model().encode_image(pixels, features, workspace); });
  state.SetItemsProcessed(state.iterations() * batch);
}

void text_tower(benchmark::State& state, Precision precision) {
  if (!prepare(state, precision)) return;
  const TextConfig& t = model().config().text;
  const Index batch = state.range(0), tokens = state.range(1);
  Tensor<std::int64_t, 2> ids({batch, t.context_length});
  for (Index i = 0; i < batch; ++i) {
    for (Index p = 0; p < t.context_length; ++p) ids(i, p) = p < tokens - 1 ? 100 + p : t.eot_token_id;
  }
  Tensor<float, 2> features({batch, model().embed_dim()});
  Workspace workspace;
  const double each = block_operations(static_cast<double>(tokens), static_cast<double>(t.width),
                                       static_cast<double>(t.mlp_width), static_cast<double>(t.layers));
  bench::Meter meter(state, static_cast<double>(batch) * each, available_threads());
  for (auto _ : state) meter.run([&] { model().encode_text(ids, features, workspace); });
  state.SetItemsProcessed(state.iterations() * batch);
}

void batches(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B"})->UseManualTime()->Unit(benchmark::kMillisecond)->Arg(32)->Arg(1);
}
void texts(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T"})->UseManualTime()->Unit(benchmark::kMillisecond)->Args({32, 77})->Args({32, 16});
}

BENCHMARK_CAPTURE(image_tower, f32, Precision::float32)->Name("image_tower/f32")->Apply(batches);
BENCHMARK_CAPTURE(text_tower, f32, Precision::float32)->Name("text_tower/f32")->Apply(texts);
BENCHMARK_CAPTURE(image_tower, bf16, Precision::bfloat16)->Name("image_tower/bf16")->Apply(batches);
BENCHMARK_CAPTURE(text_tower, bf16, Precision::bfloat16)->Name("text_tower/bf16")->Apply(texts);

}  // namespace
