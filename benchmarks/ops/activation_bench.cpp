// Activations of R rows of C elements, forward and backward.
#include <benchmark/benchmark.h>

#include "../elementwise.hpp"
#include "couplet/ops/activation.hpp"

namespace couplet {
namespace {

using bench::numbers;

void activation(benchmark::State& state, Activation kind, bool backward) {
  const Index rows = state.range(0);
  const Index columns = state.range(1);
  const auto x = numbers(rows, columns);
  const auto dy = numbers(rows, columns);
  Tensor<float, 2> y({rows, columns});
  for (auto _ : state) {
    if (backward) {
      ops::activation_backward<float>(kind, x, dy, y);
    } else {
      ops::activation_forward<float>(kind, x, y);
    }
    benchmark::ClobberMemory();
  }
  bench::report_rates(state, rows * columns, backward ? 3 : 2);
}

void sizes(benchmark::internal::Benchmark* b) { b->ArgNames({"R", "C"})->Args({1600, 3072})->UseRealTime(); }

BENCHMARK_CAPTURE(activation, gelu, Activation::gelu, false)->Name("gelu_forward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(activation, gelu_backward, Activation::gelu, true)->Name("gelu_backward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(activation, tanh, Activation::gelu_tanh, false)->Name("gelu_tanh_forward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(activation, tanh_backward, Activation::gelu_tanh, true)->Name("gelu_tanh_backward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(activation, quick, Activation::quick_gelu, false)->Name("quick_gelu_forward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(activation, quick_backward, Activation::quick_gelu, true)
    ->Name("quick_gelu_backward/f32")
    ->Apply(sizes);

}  // namespace
}  // namespace couplet
