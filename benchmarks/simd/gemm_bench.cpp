// The matrix product's kernels on one thread: the product with packed B for both orders of A, and the packing of B.
// COUPLET_ARCH chooses the level.
#include "couplet/simd/gemm.hpp"

#include <benchmark/benchmark.h>

#include "../peak.hpp"
#include "couplet/core/aligned_buffer.hpp"

namespace couplet {
namespace {

AlignedBuffer<float> numbers(Index size) {
  AlignedBuffer<float> buffer(size);
  for (Index i = 0; i < size; ++i) buffer.data()[i] = static_cast<float>(i % 17 - 8);
  return buffer;
}

/// Arguments M, N, K. A is row-major, as in the forward pass, or transposed, as in the weight's gradient.
void product(benchmark::State& state, bool a_transposed) {
  const Index m = state.range(0);
  const Index n = state.range(1);
  const Index k = state.range(2);
  const simd::GemmKernels& kernels = simd::gemm_kernels();
  const auto a = numbers(m * k);
  const auto panels = numbers(kernels.packed_size(k, n));
  AlignedBuffer<float> c(m * n);
  AlignedBuffer<float> scratch(kernels.scratch_size(m, k));
  simd::GemmProduct gemm;
  gemm.m = m;
  gemm.n = n;
  gemm.k = k;
  gemm.a = a.data();
  gemm.a_row_stride = a_transposed ? 1 : k;
  gemm.a_column_stride = a_transposed ? m : 1;
  gemm.b = panels.data();
  gemm.c = c.data();
  gemm.c_stride = n;
  bench::Meter meter(state, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), 1);
  for (auto _ : state) {
    meter.run([&] { kernels.multiply(gemm, scratch.data()); });
  }
}

/// Arguments K, N. B is row-major (k, n), or (n, k) as a linear layer's weight.
void pack_b(benchmark::State& state, bool transposed) {
  const Index k = state.range(0);
  const Index n = state.range(1);
  const simd::GemmKernels& kernels = simd::gemm_kernels();
  const auto b = numbers(k * n);
  AlignedBuffer<float> panels(kernels.packed_size(k, n));
  for (auto _ : state) {
    kernels.pack_b(b.data(), transposed ? 1 : n, transposed ? k : 1, k, n, panels.data());
  }
  state.SetBytesProcessed(state.iterations() * 2 * k * n * static_cast<Index>(sizeof(float)));
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"M", "N", "K"})->Unit(benchmark::kMillisecond)->UseManualTime();
  for (const Index rows : {1, 14, 50, 400}) benchmark->Args({rows, 768, 768});
  benchmark->Args({1600, 768, 768})->Args({1600, 3072, 768})->Args({1600, 768, 3072})->Args({1600, 2304, 768});
}
void weights(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"K", "N"})->Unit(benchmark::kMillisecond);
  benchmark->Args({768, 768})->Args({768, 3072})->Args({3072, 768});
}

BENCHMARK_CAPTURE(product, rows, false)->Name("gemm/f32")->Apply(shapes);
BENCHMARK_CAPTURE(product, columns, true)->Name("gemm/f32/a_transposed")->Apply(shapes);
BENCHMARK_CAPTURE(pack_b, straight, false)->Name("gemm_pack_b/f32")->Apply(weights);
BENCHMARK_CAPTURE(pack_b, transposed, true)->Name("gemm_pack_b/f32/transposed")->Apply(weights);

}  // namespace
}  // namespace couplet
