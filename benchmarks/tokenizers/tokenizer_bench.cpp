// Captions to ids on one thread, with a vocabulary trained here.
#include <benchmark/benchmark.h>

#include "couplet/core/shape.hpp"
#include "couplet/tokenizers/bpe_trainer.hpp"
#include "couplet/tokenizers/tokenizer.hpp"

namespace {

using namespace couplet;

std::vector<std::string> captions() {
  const std::vector<std::string> things{"dog", "red car", "children's bicycle", "lighthouse at night", "café"};
  const std::vector<std::string> places{"on the beach", "in front of a house", "under the bridge (2019)", "at 10:30"};
  std::vector<std::string> all;
  for (const std::string& thing : things) {
    for (const std::string& place : places) all.push_back("A photo of a " + thing + " " + place + ".");
  }
  return all;
}

void tokenize(benchmark::State& state) {
  const auto texts = captions();
  const tokenizers::Tokenizer tokenizer = tokenizers::train_bpe(texts, {.vocab_size = 1024});
  Index bytes = 0;
  for (const std::string& text : texts) bytes += static_cast<Index>(text.size());
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer(texts));
  state.SetItemsProcessed(state.iterations() * static_cast<Index>(texts.size()));
  state.SetBytesProcessed(state.iterations() * bytes);
}

BENCHMARK(tokenize)->Name("tokenize_captions");

}  // namespace
