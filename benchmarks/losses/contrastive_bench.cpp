// Loss and gradients of one batch: N pairs, E dimensions.
//
//   contrastive_bench --benchmark_filter='clip.*8192'
// Counters: FLOP/s of the products alone (8 N^2 E for InfoNCE, which forms the logits twice, 6 N^2 E for the sigmoid
// loss) and the bytes of workspace, to be compared with the 4 N^2 of a matrix of logits.
#include <benchmark/benchmark.h>

#include "couplet/core/random.hpp"
#include "couplet/losses/clip_loss.hpp"
#include "couplet/losses/siglip_loss.hpp"
#include "couplet/ops/l2_normalize.hpp"

namespace {

using namespace couplet;

struct Batch {
  Tensor<float, 2> image, text, d_image, d_text;

  Batch(Index n, Index e) : image({n, e}), text({n, e}), d_image({n, e}), d_text({n, e}) {
    Random random(1);
    for (Index i = 0; i < n * e; ++i) {
      image.data()[i] = static_cast<float>(random.uniform(-1, 1));
      text.data()[i] = image.data()[i] + static_cast<float>(random.uniform(-1, 1));  // alike, as after some training
    }
    ops::l2_normalize_forward<float>(image, image, {});
    ops::l2_normalize_forward<float>(text, text, {});
  }
};

template <class Step>
void run(benchmark::State& state, double products, Step&& step) {
  const Index n = state.range(0);
  const Index e = state.range(1);
  Batch batch(n, e);
  losses::ContrastiveGradients<float> gradients{.image_features = batch.d_image, .text_features = batch.d_text};
  Workspace workspace;
  for (auto _ : state) benchmark::DoNotOptimize(step(batch, gradients, workspace));
  const double flop = 2 * products * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(e);
  state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["workspace_bytes"] = benchmark::Counter(static_cast<double>(workspace.capacity()),
                                                         benchmark::Counter::kDefaults, benchmark::Counter::kIs1024);
}

void clip_loss(benchmark::State& state) {
  run(state, 4, [](const Batch& b, losses::ContrastiveGradients<float>& gradients, Workspace& workspace) {
    return losses::ClipLoss<float>().forward_backward(b.image, b.text, 2.6593F, gradients, workspace);
  });
}

void siglip_loss(benchmark::State& state) {
  run(state, 3, [](const Batch& b, losses::ContrastiveGradients<float>& gradients, Workspace& workspace) {
    return losses::SigLipLoss<float>().forward_backward(b.image, b.text, 2.3026F, -10.0F, gradients, workspace);
  });
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "E"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const Index n : {256, 2048, 8192}) b->Args({n, 512});
  b->Args({2048, 768});
}

BENCHMARK(clip_loss)->Apply(sizes);
BENCHMARK(siglip_loss)->Apply(sizes);

}  // namespace
