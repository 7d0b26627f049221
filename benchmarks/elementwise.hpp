#pragma once
/// What the benchmarks of memory-bound operations share.
#include <benchmark/benchmark.h>

#include "couplet/core/random.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/simd/cpu.hpp"

namespace couplet::bench {

/// Normal random numbers.
inline Tensor<float, 2> numbers(Index rows, Index columns) {
  Tensor<float, 2> tensor({rows, columns});
  Random random(1);
  for (Index i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<float>(random.normal());
  return tensor;
}

/// Elements per second, and bytes per second of the `matrices` that must be read or written.
inline void report_rates(benchmark::State& state, Index elements, int matrices) {
  state.SetItemsProcessed(state.iterations() * elements);
  state.SetBytesProcessed(state.iterations() * elements * matrices * static_cast<Index>(sizeof(float)));
  state.SetLabel(simd::to_string(simd::active_level()));
}

}  // namespace couplet::bench
