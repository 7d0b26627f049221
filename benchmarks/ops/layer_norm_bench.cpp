// Layer normalization of R rows of C elements; bytes_per_second counts what must be read and written.
#include <benchmark/benchmark.h>

#include "../elementwise.hpp"
#include "couplet/ops/layer_norm.hpp"

namespace couplet {
namespace {

using bench::numbers;

void layer_norm(benchmark::State& state, bool backward) {
  const Index rows = state.range(0);
  const Index columns = state.range(1);
  const auto x = numbers(rows, columns);
  const auto dy = numbers(rows, columns);
  Tensor<float, 2> y({rows, columns});
  Tensor<float, 1> weight({columns});
  Tensor<float, 1> bias({columns});
  Tensor<float, 1> dweight({columns});
  Tensor<float, 1> dbias({columns});
  Tensor<float, 1> mean({rows});
  Tensor<float, 1> rstd({rows});
  weight.fill(1.0F);
  ops::layer_norm_forward<float>(x, weight, bias, 1e-5F, ops::Operand<float>(y.view()), mean, rstd);
  for (auto _ : state) {
    if (backward) {
      ops::layer_norm_backward<float>(dy, x, weight, mean, rstd, y, false, dweight, dbias);
    } else {
      ops::layer_norm_forward<float>(x, weight, bias, 1e-5F, ops::Operand<float>(y.view()), mean, rstd);
    }
    benchmark::ClobberMemory();
  }
  bench::report_rates(state, rows * columns, backward ? 3 : 2);
}

BENCHMARK_CAPTURE(layer_norm, forward, false)
    ->Name("layer_norm_forward/f32")
    ->ArgNames({"R", "C"})
    ->Args({400, 768})
    ->Args({1600, 768})
    ->UseRealTime();
BENCHMARK_CAPTURE(layer_norm, backward, true)
    ->Name("layer_norm_backward/f32")
    ->ArgNames({"R", "C"})
    ->Args({400, 768})
    ->Args({1600, 768})
    ->UseRealTime();

}  // namespace
}  // namespace couplet
