// Softmax of R rows of C elements, forward and backward.
#include <benchmark/benchmark.h>

#include "../elementwise.hpp"
#include "couplet/ops/softmax.hpp"

namespace couplet {
namespace {

using bench::numbers;

void softmax(benchmark::State& state, bool backward) {
  const Index rows = state.range(0);
  const Index columns = state.range(1);
  const auto x = numbers(rows, columns);
  const auto dy = numbers(rows, columns);
  Tensor<float, 2> y({rows, columns});
  Tensor<float, 2> dx({rows, columns});
  ops::softmax_forward<float>(x, y);
  for (auto _ : state) {
    if (backward) {
      ops::softmax_backward<float>(y, dy, dx);
    } else {
      ops::softmax_forward<float>(x, y);
    }
    benchmark::ClobberMemory();
  }
  bench::report_rates(state, rows * columns, backward ? 3 : 2);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"R", "C"})->Args({19200, 50})->Args({2000, 1000})->UseRealTime();
}

BENCHMARK_CAPTURE(softmax, forward, false)->Name("softmax_forward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(softmax, backward, true)->Name("softmax_backward/f32")->Apply(sizes);

}  // namespace
}  // namespace couplet
