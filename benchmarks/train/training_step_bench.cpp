// Training steps: forward, loss, backward, clipping, AdamW, packing of the weights. Pairs per second.
//   training_step/f32/B:128/T:12    of the demo's model; the ViT-B/32 rows have B:32
#include <benchmark/benchmark.h>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/train/trainer.hpp"

namespace {

using namespace couplet;

/// Arguments: pairs, and the tokens that each text really has.
void training_step(benchmark::State& state, const char* name, Precision precision) {
  const Index batch = state.range(0), tokens = state.range(1);
  Clip<float> model(preset(name));
  initialize(model, 1);
  model.prepare(precision);
  if (model.precision() != precision) {
    state.SkipWithError("no products in bfloat16 on this machine");
    return;
  }
  const ClipConfig& config = model.config();
  Tensor<float, 4> pixels({batch, 3, config.vision.image_height, config.vision.image_width});
  Random random(1);
  for (Index i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<float>(random.normal());
  Tensor<std::int64_t, 2> ids({batch, config.text.context_length});
  for (Index i = 0; i < batch; ++i) {
    for (Index p = 0; p < config.text.context_length; ++p) {
      ids(i, p) = p < tokens - 1 ? 1 + (i + p) % 100 : config.text.eot_token_id;
    }
  }
  train::Trainer<float> trainer(model, {.schedule = {.base = 1e-5, .steps = 1000000}, .grad_clip_norm = 1});
  trainer.step(pixels, ids);  // brings all memory along
  for (auto _ : state) trainer.step(pixels, ids);
  state.SetItemsProcessed(state.iterations() * batch);
}

void base(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T"})->UseRealTime()->Unit(benchmark::kMillisecond)->Args({32, 77})->Args({32, 12});
}
void small(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "T"})->UseRealTime()->Unit(benchmark::kMillisecond)->Args({128, 12});
}

BENCHMARK_CAPTURE(training_step, small_f32, "tiny-64", Precision::float32)
    ->Name("training_step/tiny-64/f32")
    ->Apply(small);
BENCHMARK_CAPTURE(training_step, small_bf16, "tiny-64", Precision::bfloat16)
    ->Name("training_step/tiny-64/bf16")
    ->Apply(small);
BENCHMARK_CAPTURE(training_step, f32, "ViT-B-32", Precision::float32)->Name("training_step/ViT-B-32/f32")->Apply(base);
BENCHMARK_CAPTURE(training_step, bf16, "ViT-B-32", Precision::bfloat16)
    ->Name("training_step/ViT-B-32/bf16")
    ->Apply(base);

}  // namespace
