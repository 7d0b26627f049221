// Loading of a checkpoint of random weights, written to a temporary directory by couplet itself and so in the page
// cache:
//   load/ViT-B-32/f32/read          read() of the file into fresh memory
//   load/ViT-B-32/f32/at_use        load_pretrained without packing; kept: with it; only: packed weights alone
//   load/ViT-B-32/f32/only/bf16     the last one with weights packed for products in bfloat16
//   load/ViT-B-32/f32/pack          packing alone, of weights that are in memory
// f32, f16, bf16: the type in the file. holds_MB is what a loaded model adds to the process, peak_MB the most it took
// on the way (VmRSS and VmHWM of Linux). COUPLET_LOAD_MODELS="ViT-B-32 ViT-L-14" chooses other presets (ViT-B-32); the
// files of a ViT-L/14 are 1.7 GB and twice 0.9 GB.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "couplet/pretrained/pretrained.hpp"

namespace {

using namespace couplet;
using checkpoint::DType;

const std::map<std::string, DType> file_types{{"f32", DType::f32}, {"f16", DType::f16}, {"bf16", DType::bf16}};

/// A model directory that is removed at the end.
class ModelDirectory {
 public:
  ModelDirectory(const std::string& model, DType storage) {
    std::string pattern = (std::filesystem::temp_directory_path() / "couplet_load_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw file_error(pattern, "cannot be created");
    path_ = pattern;
    const ClipConfig config = preset(model);
    const int size = static_cast<int>(config.vision.image_height);
    Pretrained<float> bundle{.model = Clip<float>(config),
                             .transform = image::Transform(image::clip_transform_config(size)),
                             .storage = storage};
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

  /// Written when it is asked for, once.
  static const ModelDirectory& of(const std::string& model, const std::string& type) {
    static std::map<std::string, std::unique_ptr<ModelDirectory>> all;
    auto& one = all[model + type];
    if (one == nullptr) one = std::make_unique<ModelDirectory>(model, file_types.at(type));
    return *one;
  }

 private:
  std::string path_;
};

/// A line of /proc/self/status in megabytes; 0 where there is none.
double status_megabytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) * 1024 / 1e6;
  }
  return 0;
}

/// What f()'s result adds to this process, and the most it had on the way.
template <class F>
void count_memory(benchmark::State& state, const F& f) {
  std::ofstream("/proc/self/clear_refs") << "5\n";  // VmHWM begins again (proc(5))
  const double before = status_megabytes("VmRSS");
  const auto result = f();
  state.counters["holds_MB"] = status_megabytes("VmRSS") - before;
  state.counters["peak_MB"] = status_megabytes("VmHWM") - before;
}

void read_file(benchmark::State& state, const std::string& model, const std::string& type) {
  const ModelDirectory& directory = ModelDirectory::of(model, type);
  const io::InputFile file(directory.weights());
  const auto read = [&] {
    AlignedBuffer<char> memory(static_cast<Index>(file.size()));
    file.read_at(0, memory.data(), static_cast<std::size_t>(file.size()));
    benchmark::DoNotOptimize(memory.data());
    return memory;
  };
  count_memory(state, read);
  for (auto _ : state) read();
  state.SetBytesProcessed(state.iterations() * directory.bytes());
}

void load(benchmark::State& state, const std::string& model, const std::string& type, const LoadOptions& options) {
  const ModelDirectory& directory = ModelDirectory::of(model, type);
  if (options.precision != simd::effective_precision(options.precision)) {
    return state.SkipWithError("no products in bfloat16 on this machine");
  }
  const auto read = [&] { return load_pretrained(directory.path(), options); };
  count_memory(state, read);
  for (auto _ : state) benchmark::DoNotOptimize(read());
  state.SetBytesProcessed(state.iterations() * directory.bytes());
}

void pack(benchmark::State& state, const std::string& model, const std::string& type) {
  const ModelDirectory& directory = ModelDirectory::of(model, type);
  Pretrained<float> bundle = load_pretrained(directory.path(), {.packing = nn::Packing::at_use});
  for (auto _ : state) {
    bundle.model.prepare(Precision::float32, nn::Packing::kept);
    bundle.model.prepare(Precision::float32, nn::Packing::at_use);
  }
  state.SetBytesProcessed(state.iterations() * directory.bytes());
}

template <class F, class... Args>
void add(const std::string& name, F&& f, const Args&... args) {
  benchmark::RegisterBenchmark(name.c_str(), std::forward<F>(f), args...)->UseRealTime()->Unit(benchmark::kMillisecond);
}

const bool registered = [] {
  using nn::Packing;
  const char* chosen = std::getenv("COUPLET_LOAD_MODELS");
  std::istringstream models(chosen != nullptr ? chosen : "ViT-B-32");
  for (std::string model; models >> model;) {
    for (const auto& [type, dtype] : file_types) {
      const std::string name = "load/" + model + "/" + type;
      add(name + "/read", read_file, model, type);
      add(name + "/at_use", load, model, type, LoadOptions{.packing = Packing::at_use});
      add(name + "/kept", load, model, type, LoadOptions{.packing = Packing::kept});
      add(name + "/only", load, model, type, LoadOptions{.packing = Packing::only});
      add(name + "/only/bf16", load, model, type,
          LoadOptions{.precision = Precision::bfloat16, .packing = Packing::only});
      add(name + "/pack", pack, model, type);
    }
  }
  return true;
}();

}  // namespace
