// Attention of B H heads with products of float32 or bfloat16, forward and with the backward pass; q, k and v are
// slices of one matrix.
//   attention_forward/f32/T:50/D:64/BH:384
// gflops counts 4 T^2 D per head forward and 10 T^2 D backward, half of it when causal; padding does not count.
// peak_fraction is that of the float32 peak in both precisions: VDPBF16PS can reach 2 on AMD's Zen 4, AMX 16.
#include <benchmark/benchmark.h>

#include <vector>

#include "../peak.hpp"
#include "couplet/core/random.hpp"
#include "couplet/ops/attention.hpp"

namespace {

using couplet::Index;
using couplet::Precision;
using couplet::Tensor;
using couplet::TensorView;

constexpr Index heads = 12;

struct Batch {
  Batch(const std::vector<Index>& lengths, Index head_width) : width(heads * head_width), offsets{0} {
    for (const Index length : lengths) {
      offsets.push_back(offsets.back() + length);
      squares += static_cast<double>(length * length);
    }
    const Index rows = offsets.back();
    qkv.resize({rows, 3 * width});
    dout.resize({rows, width});
    couplet::Random random(1);
    for (Index i = 0; i < qkv.size(); ++i) qkv.data()[i] = static_cast<float>(random.uniform(-1.7, 1.7));
    for (Index i = 0; i < dout.size(); ++i) dout.data()[i] = static_cast<float>(random.uniform(-1, 1));
    out.resize({rows, width});
    lse.resize({rows, heads});
    dqkv.resize({rows, 3 * width});
  }

  TensorView<const float, 2> part(Index i) const { return qkv.view().columns(i * width, (i + 1) * width); }
  TensorView<float, 2> gradient(Index i) { return dqkv.view().columns(i * width, (i + 1) * width); }

  void forward(couplet::ops::AttentionOptions options) {
    const couplet::Sequences sequences(offsets);
    couplet::ops::attention_forward<float>(part(0), part(1), part(2), sequences, sequences, options,
                                           couplet::ops::Operand<float>(out.view()), lse, workspace);
  }
  void backward(couplet::ops::AttentionOptions options) {
    const couplet::Sequences sequences(offsets);
    couplet::ops::attention_backward<float>(dout, part(0), part(1), part(2), out, lse, sequences, sequences, options,
                                            gradient(0), gradient(1), gradient(2), workspace);
  }

  Index width;
  std::vector<Index> offsets;
  double squares = 0;  ///< sum of T^2 over the sequences
  Tensor<float, 2> qkv, dout, out, lse, dqkv;
  couplet::Workspace workspace;
};

enum class Mask { none, causal };
enum class Batching { equal, ragged };

/// Arguments: T, D, B H. Ragged batches hold sequences of T/8, 2 T/8, ... T tokens, as captions do.
void attention(benchmark::State& state, Precision precision, bool with_backward, Mask mask, Batching batching) {
  if (couplet::simd::effective_precision(precision) != precision) {
    state.SkipWithError("no products in bfloat16 on this machine");
    return;
  }
  const Index tokens = state.range(0);
  const Index head_width = state.range(1);
  std::vector<Index> lengths(static_cast<std::size_t>(state.range(2) / heads), tokens);
  if (batching == Batching::ragged) {
    for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = std::max<Index>(1, tokens * Index(i % 8 + 1) / 8);
  }
  Batch batch(lengths, head_width);
  const bool causal = mask == Mask::causal;
  const couplet::ops::AttentionOptions options{heads, causal, precision};
  const double passes = with_backward ? 14 : 4;
  const double operations = passes * batch.squares * static_cast<double>(batch.width) / (causal ? 2 : 1);
  couplet::bench::Meter meter(state, operations, couplet::available_threads());
  for (auto _ : state) {
    meter.run([&] {
      batch.forward(options);
      if (with_backward) batch.backward(options);
    });
  }
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "D", "BH"})->UseManualTime()->Unit(benchmark::kMillisecond);
  for (const int tokens : {50, 77, 197}) b->Args({tokens, 64, 384});
  b->Args({577, 64, 96});
}
void text_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "D", "BH"})->UseManualTime()->Unit(benchmark::kMillisecond)->Args({77, 64, 384});
}
void width_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "D", "BH"})
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Args({197, 72, 384})
      ->Args({197, 80, 384});
}

/// One kind of work in both precisions: `kind`/f32`suffix` and `kind`/bf16`suffix`.
#define COUPLET_ATTENTION(kind, with_backward, suffix, mask, batching, apply)                                   \
  BENCHMARK_CAPTURE(attention, kind##_f32, Precision::float32, with_backward, Mask::mask, Batching::batching)   \
      ->Name("attention_" #kind "/f32" suffix)                                                                  \
      ->Apply(apply);                                                                                           \
  BENCHMARK_CAPTURE(attention, kind##_bf16, Precision::bfloat16, with_backward, Mask::mask, Batching::batching) \
      ->Name("attention_" #kind "/bf16" suffix)                                                                 \
      ->Apply(apply)

COUPLET_ATTENTION(forward, false, "", none, equal, sizes);
COUPLET_ATTENTION(forward_backward, true, "", none, equal, sizes);
COUPLET_ATTENTION(forward, false, "/causal", causal, equal, text_sizes);
COUPLET_ATTENTION(forward_backward, true, "/causal", causal, equal, text_sizes);
COUPLET_ATTENTION(forward, false, "/causal_ragged", causal, ragged, text_sizes);
COUPLET_ATTENTION(forward_backward, true, "/causal_ragged", causal, ragged, text_sizes);
COUPLET_ATTENTION(forward, false, "", none, equal, width_sizes);

}  // namespace
