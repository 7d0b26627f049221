// Training steps of ViT-B/32 whose pictures come from a shard of JPEG files through the loader, beside the same steps
// on tensors in memory, in turns: what feeding costs. `ratio` is the median of the first over the median of the second.
//   feed/ViT-B-32/f32/B:32/workers:1      captions of at most 12 tokens
#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>

#include "couplet/data/loader.hpp"
#include "couplet/data/webdataset.hpp"
#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/tokenizers/bpe_trainer.hpp"
#include "couplet/tokenizers/tokenizer.hpp"
#include "couplet/train/trainer.hpp"

#include "../peak.hpp"
#include "../photograph.hpp"

namespace {

using namespace couplet;

const std::vector<std::string> captions{"a red circle", "two green stars above a yellow ring",
                                        "a picture of a large cyan heart"};

/// A model whose vocabulary is the tokenizer's.
Clip<float> model_for(const tokenizers::Tokenizer& tokenizer) {
  ClipConfig config = preset("ViT-B-32");
  config.text.vocab_size = static_cast<Index>(tokenizer.vocab_size());
  config.text.bos_token_id = tokenizer.bos_token_id();
  config.text.eot_token_id = tokenizer.eos_token_id();
  config.text.pad_token_id = tokenizer.pad_token_id();
  Clip<float> model(config);
  initialize(model, 1);
  return model;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

/// Arguments: pairs, threads of the loader.
void feed(benchmark::State& state, Precision precision) {
  const Index pairs = state.range(0);
  const std::string shard = (std::filesystem::temp_directory_path() / "couplet_feed_bench.tar").string();
  if (!bench::write_photographs(shard, static_cast<int>(4 * pairs), captions)) {
    state.SkipWithError("JPEG files are written with libjpeg, which this build has not");
    return;
  }
  const tokenizers::Tokenizer tokenizer = tokenizers::train_bpe(captions, {.vocab_size = 600}).with_context_length(77);
  Clip<float> model = model_for(tokenizer);
  model.prepare(precision);
  train::Trainer<float> trainer(model, {.schedule = {.base = 1e-5, .steps = 1000000}, .grad_clip_norm = 1});
  const image::Transform transform(image::clip_transform_config(224));
  data::Loader loader(std::make_shared<data::WebDataset>(shard), data::preprocess_train(transform),
                      {.batch_size = pairs, .workers = static_cast<int>(state.range(1))});
  const auto step = [&](const data::Batch& batch) {
    const tokenizers::TokenBatch tokens = tokenizer(batch.texts);
    trainer.step(batch.images, {tokens.ids.data(), {batch.size(), static_cast<Index>(tokens.context_length)}});
  };
  data::Batch kept, batch;
  loader.next(kept);
  step(kept);  // brings all memory along
  std::vector<double> memory, fed;
  const auto time = [](std::vector<double>& times, auto&& work) {
    const double start = bench::seconds();
    work();
    times.push_back(bench::seconds() - start);
  };
  for (auto _ : state) {
    time(memory, [&] { step(kept); });
    time(fed, [&] { loader.next(batch), step(batch); });
  }
  state.counters["memory_s"] = median(memory);
  state.counters["fed_s"] = median(fed);
  state.counters["ratio"] = median(fed) / median(memory);
  std::filesystem::remove(shard);
}

void turns(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "workers"})->Args({32, 1})->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(5);
}
BENCHMARK_CAPTURE(feed, f32, Precision::float32)->Name("feed/ViT-B-32/f32")->Apply(turns);
BENCHMARK_CAPTURE(feed, bf16, Precision::bfloat16)->Name("feed/ViT-B-32/bf16")->Apply(turns);

}  // namespace
