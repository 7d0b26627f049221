// Attention of B H heads in float32, forward and with the backward pass; q, k and v are slices of one matrix.
//   attention_forward/f32/T:50/D:64/BH:384
// gflops counts 4 T^2 D per head forward and 10 T^2 D backward, half of it when causal; padding does not count.
#include <benchmark/benchmark.h>

#include <vector>

#include "../peak.hpp"
#include "couplet/core/random.hpp"
#include "couplet/ops/attention.hpp"

namespace {

using couplet::Index;
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

  void forward(bool causal) {
    const couplet::Sequences sequences(offsets);
    couplet::ops::attention_forward<float>(part(0), part(1), part(2), sequences, sequences, {heads, causal},
                                           couplet::ops::Operand<float>(out.view()), lse, workspace);
  }
  void backward(bool causal) {
    const couplet::Sequences sequences(offsets);
    couplet::ops::attention_backward<float>(dout, part(0), part(1), part(2), out, lse, sequences, sequences,
                                            {heads, causal}, gradient(0), gradient(1), gradient(2), workspace);
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
void attention(benchmark::State& state, bool with_backward, Mask mask, Batching batching) {
  const Index tokens = state.range(0);
  const Index head_width = state.range(1);
  std::vector<Index> lengths(static_cast<std::size_t>(state.range(2) / heads), tokens);
  if (batching == Batching::ragged) {
    for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = std::max<Index>(1, tokens * Index(i % 8 + 1) / 8);
  }
  Batch batch(lengths, head_width);
  const bool causal = mask == Mask::causal;
  const double passes = with_backward ? 14 : 4;
  const double operations = passes * batch.squares * static_cast<double>(batch.width) / (causal ? 2 : 1);
  couplet::bench::Meter meter(state, operations, couplet::available_threads());
  for (auto _ : state) {
    meter.run([&] {
      batch.forward(causal);
      if (with_backward) batch.backward(causal);
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

BENCHMARK_CAPTURE(attention, forward, false, Mask::none, Batching::equal)->Name("attention_forward/f32")->Apply(sizes);
BENCHMARK_CAPTURE(attention, forward_backward, true, Mask::none, Batching::equal)
    ->Name("attention_forward_backward/f32")
    ->Apply(sizes);
BENCHMARK_CAPTURE(attention, forward_causal, false, Mask::causal, Batching::equal)
    ->Name("attention_forward/f32/causal")
    ->Apply(text_sizes);
BENCHMARK_CAPTURE(attention, forward_backward_causal, true, Mask::causal, Batching::equal)
    ->Name("attention_forward_backward/f32/causal")
    ->Apply(text_sizes);
BENCHMARK_CAPTURE(attention, forward_ragged, false, Mask::causal, Batching::ragged)
    ->Name("attention_forward/f32/causal_ragged")
    ->Apply(text_sizes);
BENCHMARK_CAPTURE(attention, forward_backward_ragged, true, Mask::causal, Batching::ragged)
    ->Name("attention_forward_backward/f32/causal_ragged")
    ->Apply(text_sizes);
BENCHMARK_CAPTURE(attention, forward_widths, false, Mask::none, Batching::equal)
    ->Name("attention_forward/f32")
    ->Apply(width_sizes);

}  // namespace
