// Linear layers of ViT-B/32 with 32 images (1600 rows): forward with packed weights, packing alone, both backward
// products with all their packing. COUPLET_ARCH chooses the level.
#include "couplet/ops/linear.hpp"

#include <benchmark/benchmark.h>

#include "../peak.hpp"
#include "couplet/core/random.hpp"

namespace couplet {
namespace {

Tensor<float, 2> random_matrix(Index rows, Index columns, std::uint64_t seed) {
  Tensor<float, 2> matrix({rows, columns});
  Random random(seed, 0);
  for (Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = static_cast<float>(random.normal());
  return matrix;
}

/// The operands of one layer: arguments R, K, N, threads.
struct Layer {
  Index rows, inputs, outputs;
  int threads;
  Tensor<float, 2> x, weight, y;
  Workspace workspace;

  explicit Layer(const benchmark::State& state)
      : rows(state.range(0)),
        inputs(state.range(1)),
        outputs(state.range(2)),
        threads(static_cast<int>(state.range(3))),
        x(random_matrix(rows, inputs, 1)),
        weight(random_matrix(outputs, inputs, 2)),
        y(random_matrix(rows, outputs, 3)) {}
  [[nodiscard]] double operations() const {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(inputs) * static_cast<double>(outputs);
  }
};

/// False, with a message, when this machine has no products in this precision.
bool has(benchmark::State& state, Precision precision) {
  if (simd::effective_precision(precision) == precision) return true;
  state.SkipWithError("no products in bfloat16 on this machine");
  return false;
}

/// As in the towers: the operand is packed by who writes it.
void forward_bf16(benchmark::State& state) {
  if (!has(state, Precision::bfloat16)) return;
  Layer layer(state);
  const ThreadLimit limit(layer.threads);
  ops::PackedWeight<float> packed;
  packed.pack(layer.weight, Precision::bfloat16);
  const Workspace::Scope scope(layer.workspace);
  const ops::Operand<float> x(layer.workspace, layer.rows, layer.inputs, Precision::bfloat16);
  for (Index r = 0; r < layer.rows; ++r) {
    x.write_row(r, [&](float* row) { std::copy_n(&layer.x(r, 0), layer.inputs, row); });
  }
  bench::Meter meter(state, layer.operations(), layer.threads);
  for (auto _ : state) {
    meter.run([&] { ops::linear_forward<float>(x, packed, {}, layer.y, layer.workspace); });
  }
}

void forward(benchmark::State& state, Activation activation) {
  Layer layer(state);
  const ThreadLimit limit(layer.threads);
  ops::PackedWeight<float> packed;
  packed.pack(layer.weight);
  const Tensor<float, 1> bias({layer.outputs});
  const ops::Epilogue<float> epilogue{.bias = bias.data(), .activation = activation};
  bench::Meter meter(state, layer.operations(), layer.threads);
  for (auto _ : state) {
    meter.run([&] {
      ops::linear_forward<float>(ops::Operand<float>(layer.x.view()), packed, epilogue, layer.y, layer.workspace);
    });
  }
}

void pack(benchmark::State& state) {
  Layer layer(state);
  const ThreadLimit limit(layer.threads);
  ops::PackedWeight<float> packed;
  for (auto _ : state) packed.pack(layer.weight);
  state.SetBytesProcessed(state.iterations() * 2 * layer.weight.size() * static_cast<Index>(sizeof(float)));
}

void backward_input(benchmark::State& state, Precision precision) {
  if (!has(state, precision)) return;
  Layer layer(state);
  const ThreadLimit limit(layer.threads);
  bench::Meter meter(state, layer.operations(), layer.threads);
  for (auto _ : state) {
    meter.run([&] { ops::linear_backward_input<float>(layer.y, layer.weight, layer.x, layer.workspace, precision); });
  }
}

void backward_weight(benchmark::State& state, Precision precision) {
  if (!has(state, precision)) return;
  Layer layer(state);
  const ThreadLimit limit(layer.threads);
  bench::Meter meter(state, layer.operations(), layer.threads);
  for (auto _ : state) {
    meter.run([&] { ops::linear_backward_weight<float>(layer.y, layer.x, layer.weight, layer.workspace, precision); });
  }
}

void backward_bias(benchmark::State& state) {
  Layer layer(state);
  const ThreadLimit limit(layer.threads);
  Tensor<float, 1> bias({layer.outputs});
  for (auto _ : state) ops::linear_backward_bias<float>(layer.y, bias);
  state.SetBytesProcessed(state.iterations() * layer.y.size() * static_cast<Index>(sizeof(float)));
}

/// proj, fc1, fc2 and qkv of a block, with 1 and 2 threads.
void layers(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"R", "K", "N", "threads"})->Unit(benchmark::kMillisecond);
  for (const int threads : {1, 2}) {
    for (const auto& [k, n] : {std::pair{768, 768}, {768, 3072}, {3072, 768}, {768, 2304}}) {
      benchmark->Args({1600, k, n, threads});
    }
  }
}
void layers_and_few_rows(benchmark::internal::Benchmark* benchmark) {
  layers(benchmark);
  for (const int rows : {1, 50}) {
    for (const int threads : {1, 2}) benchmark->Args({rows, 768, 3072, threads});
  }
}

BENCHMARK_CAPTURE(forward, identity, Activation::identity)
    ->Name("linear/f32")
    ->Apply(layers_and_few_rows)
    ->UseManualTime();
BENCHMARK_CAPTURE(forward, gelu, Activation::gelu)
    ->Name("linear/f32/gelu")
    ->ArgNames({"R", "K", "N", "threads"})
    ->Args({1600, 768, 3072, 1})
    ->Args({1600, 768, 3072, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();
BENCHMARK(forward_bf16)->Name("linear/bf16")->Apply(layers)->UseManualTime();
BENCHMARK_CAPTURE(backward_input, f32, Precision::float32)
    ->Name("linear_backward_input/f32")
    ->Apply(layers)
    ->UseManualTime();
BENCHMARK_CAPTURE(backward_weight, f32, Precision::float32)
    ->Name("linear_backward_weight/f32")
    ->Apply(layers)
    ->UseManualTime();
BENCHMARK_CAPTURE(backward_input, bf16, Precision::bfloat16)
    ->Name("linear_backward_input/bf16")
    ->Apply(layers)
    ->UseManualTime();
BENCHMARK_CAPTURE(backward_weight, bf16, Precision::bfloat16)
    ->Name("linear_backward_weight/bf16")
    ->Apply(layers)
    ->UseManualTime();
BENCHMARK(backward_bias)->Name("linear_backward_bias/f32")->Apply(layers)->UseRealTime();
BENCHMARK(pack)->Name("linear_pack/f32")->Apply(layers)->UseRealTime();

}  // namespace
}  // namespace couplet
