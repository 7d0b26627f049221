// Loading of a ViT-B/32 (605 MB in float32, written to a temporary directory, so in the page cache): read() of the file
// into fresh memory, load_pretrained without packing, and packing.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/pretrained/pretrained.hpp"

namespace {

using namespace couplet;

/// A model directory that is removed at the end.
class ModelDirectory {
 public:
  ModelDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "couplet_load_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw file_error(pattern, "cannot be created");
    path_ = pattern;
    Pretrained<float> bundle{.model = Clip<float>(preset("ViT-B-32")),
                             .transform = image::Transform(image::clip_transform_config(224))};
    initialize(bundle.model, 1);
    save_pretrained(bundle, path_);
  }
  ~ModelDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ModelDirectory(const ModelDirectory&) = delete;
  ModelDirectory& operator=(const ModelDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string weights() const { return path_ + "/model.safetensors"; }
  [[nodiscard]] std::int64_t bytes() const { return static_cast<std::int64_t>(std::filesystem::file_size(weights())); }

  static const ModelDirectory& instance() {
    static const ModelDirectory directory;
    return directory;
  }

 private:
  std::string path_;
};

void read_file(benchmark::State& state) {
  const ModelDirectory& directory = ModelDirectory::instance();
  const io::InputFile file(directory.weights());
  for (auto _ : state) {
    AlignedBuffer<char> memory(static_cast<Index>(file.size()));
    file.read_at(0, memory.data(), static_cast<std::size_t>(file.size()));
    benchmark::DoNotOptimize(memory.data());
  }
  state.SetBytesProcessed(state.iterations() * directory.bytes());
}

void load(benchmark::State& state) {
  const ModelDirectory& directory = ModelDirectory::instance();
  for (auto _ : state) {
    benchmark::DoNotOptimize(load_pretrained(directory.path(), {.packing = nn::Packing::at_use}));
  }
  state.SetBytesProcessed(state.iterations() * directory.bytes());
}

void pack(benchmark::State& state, Precision precision) {
  const ModelDirectory& directory = ModelDirectory::instance();
  Pretrained<float> bundle = load_pretrained(directory.path(), {.packing = nn::Packing::at_use});
  for (auto _ : state) {
    bundle.model.prepare(precision, nn::Packing::kept);
    bundle.model.prepare(precision, nn::Packing::at_use);
  }
  state.SetBytesProcessed(state.iterations() * directory.bytes());
}

BENCHMARK(read_file)->Name("load/read")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(load)->Name("load/load_pretrained")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pack, f32, Precision::float32)->Name("load/pack/f32")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pack, bf16, Precision::bfloat16)
    ->Name("load/pack/bf16")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
