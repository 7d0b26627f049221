// couplet's side of a comparison: does one piece of work per line of standard input and answers with its seconds.
//
// benchmarks/peers/compare.py starts this program and the peers' code, gives both the same weights and inputs and lets
// them run in turns. A line is a task and its settings, `image precision=bfloat16 batch=32`; the answer is `ok
// <seconds>`, or `error <message>`. Tensors come from and go to safetensors files.
//   load model=DIR inputs=FILE    the model, and the tensors pixel_values, input_ids
//   image|text precision=P batch=B ids=NAME [write=FILE]       features of the first B inputs
//   train precision=P batch=B ids=NAME                         one step with AdamW
//   attention tokens=T heads=BH backward=0|1                   head_dim 64, float32
//   linear rows=R inputs=K outputs=N precision=P direction=forward|input|weight
//   clip_loss pairs=N width=E precision=P
//   learn model=DIR data=FILE precision=P lr=R warmup=W write=FILE   a run of training: the loss of every step, from
//                                 the tensors pixel_values, input_ids and order (steps, batch) of the samples
//   pictures shard=TAR [write=FILE]   decoding and CLIP's transform to 224 x 224 of all pictures, on one thread
//   peak                          answers with the float32 multiply-add peak in GFLOP/s
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include "../peak.hpp"
#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/core/random.hpp"
#include "couplet/data/decode_picture.hpp"
#include "couplet/data/webdataset.hpp"
#include "couplet/losses/clip_loss.hpp"
#include "couplet/ops/attention.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "couplet/train/trainer.hpp"

namespace {

using namespace couplet;

/// The settings of a line.
class Task {
 public:
  explicit Task(const std::string& line) {
    std::istringstream words(line);
    words >> name;
    for (std::string word; words >> word;) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) throw std::invalid_argument("expected key=value, found " + word);
      settings_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  [[nodiscard]] bool has(const std::string& key) const { return settings_.count(key) != 0; }
  [[nodiscard]] const std::string& text(const std::string& key) const {
    const auto found = settings_.find(key);
    if (found == settings_.end()) throw std::invalid_argument(name + " needs " + key + "=");
    return found->second;
  }
  [[nodiscard]] Index number(const std::string& key) const { return std::stol(text(key)); }
  [[nodiscard]] Precision precision() const { return parse_precision(text("precision")); }

  std::string name;

 private:
  std::map<std::string, std::string> settings_;
};

template <class T, std::size_t Rank>
Tensor<T, Rank> read_tensor(const checkpoint::SafetensorsFile& file, const std::string& name) {
  const checkpoint::TensorInfo* const info = file.find(name);
  if (info == nullptr || info->shape.size() != Rank)
    throw file_error(file.path(), "no tensor " + name + " of its rank");
  Extents<Rank> extents{};
  std::copy(info->shape.begin(), info->shape.end(), extents.begin());
  Tensor<T, Rank> tensor(extents);
  file.read(*info, tensor.data(), info->count());
  return tensor;
}

Tensor<float, 2> random_matrix(Index rows, Index columns) {
  Tensor<float, 2> matrix({rows, columns});
  Random random(1);
  for (Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = static_cast<float>(random.uniform(-1, 1));
  return matrix;
}

template <class F>
double seconds_of(F&& f) {
  const double start = bench::seconds();
  f();
  return bench::seconds() - start;
}

class Worker {
 public:
  double run(const Task& task) {
    if (task.name == "load") return load(task);
    if (task.name == "image" || task.name == "text") return features(task);
    if (task.name == "train") return train_step(task);
    if (task.name == "attention") return attention(task);
    if (task.name == "linear") return linear(task);
    if (task.name == "clip_loss") return clip_loss(task);
    if (task.name == "learn") return learn(task);
    if (task.name == "pictures") return pictures(task);
    if (task.name == "peak") return bench::measure_peak(available_threads()) * 1e-9;
    throw std::invalid_argument("unknown task " + task.name);
  }

 private:
  double load(const Task& task) {
    return seconds_of([&] {
      bundle_.emplace(load_pretrained(task.text("model")));
      inputs_.emplace(task.text("inputs"));
      pixels_ = read_tensor<float, 4>(*inputs_, "pixel_values");
    });
  }

  void prepare(Precision precision) {
    if (!bundle_) throw std::invalid_argument("load comes first");
    if (bundle_->model.precision() != precision) bundle_->model.prepare(precision);
    if (bundle_->model.precision() != precision) {
      throw std::invalid_argument("no " + to_string(precision) + " on this machine");
    }
  }

  double features(const Task& task) {
    prepare(task.precision());
    const Index batch = task.number("batch");
    Tensor<float, 2> features({batch, bundle_->embed_dim()});
    double time = 0;
    if (task.name == "image") {
      time = seconds_of([&] { bundle_->model.encode_image(pixels_.view().slice(0, batch), features, workspace_); });
    } else {
      const auto ids = read_tensor<std::int64_t, 2>(*inputs_, task.text("ids"));
      time = seconds_of([&] { bundle_->model.encode_text(ids.view().slice(0, batch), features, workspace_); });
    }
    write(task, features);
    return time;
  }

  /// Results as the tensor "features", where they are asked for.
  static void write(const Task& task, const Tensor<float, 2>& features) {
    if (!task.has("write")) return;
    checkpoint::save_safetensors(
        task.text("write"), {checkpoint::tensor_record("features", checkpoint::DType::f32,
                                                       {features.extent(0), features.extent(1)}, features.data())});
  }

  double train_step(const Task& task) {
    prepare(task.precision());
    if (!trainer_) {
      trainer_ = std::make_unique<train::Trainer<float>>(
          bundle_->model, train::TrainerOptions{.schedule = {.base = 1e-5, .steps = 1000000}, .grad_clip_norm = 1});
    }
    const Index batch = task.number("batch");
    const auto ids = read_tensor<std::int64_t, 2>(*inputs_, task.text("ids"));
    return seconds_of([&] { trainer_->step(pixels_.view().slice(0, batch), ids.view().slice(0, batch)); });
  }

  double attention(const Task& task) {
    constexpr Index heads = 12, width = 12 * 64;
    const Index tokens = task.number("tokens");
    const Index count = task.number("heads") / heads;
    const bool backward = task.number("backward") != 0;
    const ops::AttentionOptions options{.heads = heads, .precision = task.precision()};
    if (simd::effective_precision(options.precision) != options.precision) {
      throw std::invalid_argument("no " + to_string(options.precision) + " on this machine");
    }
    const Index rows = tokens * count;
    Tensor<float, 2>& qkv = matrix("qkv", rows, 3 * width);
    Tensor<float, 2>& out = matrix("out", rows, width);
    Tensor<float, 2>& dqkv = matrix("dqkv", rows, 3 * width);
    Tensor<float, 2>& lse = matrix("lse", rows, heads);
    std::vector<Index> offsets;
    for (Index i = 0; i <= count; ++i) offsets.push_back(i * tokens);
    const Sequences sequences(offsets);
    const auto part = [](auto x, Index i) { return x.columns(i * width, (i + 1) * width); };
    const TensorView<const float, 2> x = qkv.view();
    return seconds_of([&] {
      ops::attention_forward<float>(part(x, 0), part(x, 1), part(x, 2), sequences, sequences, options,
                                    ops::Operand<float>(out.view()), backward ? lse.view() : TensorView<float, 2>{},
                                    workspace_);
      if (!backward) return;
      ops::attention_backward<float>(out, part(x, 0), part(x, 1), part(x, 2), out, lse, sequences, sequences, options,
                                     part(dqkv.view(), 0), part(dqkv.view(), 1), part(dqkv.view(), 2), workspace_);
    });
  }

  double linear(const Task& task) {
    const Index rows = task.number("rows"), inputs = task.number("inputs"), outputs = task.number("outputs");
    const std::string& direction = task.text("direction");
    const Precision precision = task.precision();
    Tensor<float, 2>& x = matrix("x", rows, inputs);
    Tensor<float, 2>& y = matrix("y", rows, outputs);
    Tensor<float, 2>& weight = matrix("weight", outputs, inputs);
    if (direction == "input") {
      return seconds_of([&] { ops::linear_backward_input<float>(y, weight, x, workspace_, precision); });
    }
    if (direction == "weight") {
      return seconds_of([&] { ops::linear_backward_weight<float>(y, x, weight, workspace_, precision); });
    }
    ops::PackedWeight<float> packed;
    packed.pack(weight, precision);
    const Workspace::Scope scope(workspace_);
    const ops::Operand<float> operand(workspace_, rows, inputs, precision);
    for (Index r = 0; r < rows; ++r) {
      operand.write_row(r, [&](float* row) { std::copy_n(&x(r, 0), inputs, row); });
    }
    return seconds_of([&] { ops::linear_forward<float>(operand, packed, {}, y, workspace_); });
  }

  double clip_loss(const Task& task) {
    const Index pairs = task.number("pairs"), width = task.number("width");
    const Precision precision = task.precision();
    Tensor<float, 2>& image = matrix("image", pairs, width);
    Tensor<float, 2>& text = matrix("text", pairs, width);
    ops::l2_normalize_forward<float>(image, image, {});
    ops::l2_normalize_forward<float>(text, text, {});
    losses::ContrastiveGradients<float> gradients{.image_features = matrix("dimage", pairs, width),
                                                  .text_features = matrix("dtext", pairs, width)};
    const losses::ClipLoss<float> loss(precision);
    return seconds_of([&] { loss.forward_backward(image, text, 2.6593F, gradients, workspace_); });
  }

  double learn(const Task& task) {
    Pretrained<float> bundle = load_pretrained(task.text("model"));
    bundle.model.prepare(task.precision());
    const checkpoint::SafetensorsFile data(task.text("data"));
    const auto pixels = read_tensor<float, 4>(data, "pixel_values");
    const auto ids = read_tensor<std::int64_t, 2>(data, "input_ids");
    const auto order = read_tensor<std::int64_t, 2>(data, "order");
    const Index steps = order.extent(0), batch = order.extent(1), picture = pixels.size() / pixels.extent(0);
    train::Trainer<float> trainer(
        bundle.model,
        {.schedule = {.base = std::stod(task.text("lr")), .warmup = task.number("warmup"), .steps = steps}});
    Tensor<float, 4> batch_pixels({batch, pixels.extent(1), pixels.extent(2), pixels.extent(3)});
    Tensor<std::int64_t, 2> batch_ids({batch, ids.extent(1)});
    Tensor<float, 1> losses({steps});
    const double time = seconds_of([&] {
      for (Index step = 0; step < steps; ++step) {
        for (Index i = 0; i < batch; ++i) {
          const Index sample = order(step, i);
          std::copy_n(pixels.data() + sample * picture, picture, batch_pixels.data() + i * picture);
          std::copy_n(&ids(sample, 0), ids.extent(1), &batch_ids(i, 0));
        }
        losses(step) = static_cast<float>(trainer.step(batch_pixels, batch_ids).loss);
      }
    });
    checkpoint::save_safetensors(task.text("write"),
                                 {checkpoint::tensor_record("losses", checkpoint::DType::f32, {steps}, losses.data())});
    return time;
  }

  double pictures(const Task& task) {
    const std::string& path = task.text("shard");
    if (path != shard_) {
      encoded_.clear();
      const data::WebDataset shard(path);
      for (Index i = 0; i < shard.size(); ++i) encoded_.push_back(shard.sample(i));
      shard_ = path;
    }
    const image::Transform transform(image::clip_transform_config(224));
    Tensor<float, 2>& out = matrix("pictures", static_cast<Index>(encoded_.size()), 3 * 224 * 224);
    const double time = seconds_of([&] {
      for (std::size_t i = 0; i < encoded_.size(); ++i) {
        image::Image picture = data::decode_picture(encoded_[i], transform.decode_options());
        transform(picture, out[static_cast<Index>(i)].data());
        image::recycled_bytes().give(std::move(picture.pixels));
      }
    });
    write(task, out);
    return time;
  }

  /// A matrix that stays from task to task while its size does.
  Tensor<float, 2>& matrix(const std::string& name, Index rows, Index columns) {
    Tensor<float, 2>& kept = matrices_[name];
    if (kept.extents() != Extents<2>{rows, columns}) kept = random_matrix(rows, columns);
    return kept;
  }

  std::optional<Pretrained<float>> bundle_;
  std::optional<checkpoint::SafetensorsFile> inputs_;
  Tensor<float, 4> pixels_;
  std::unique_ptr<train::Trainer<float>> trainer_;
  std::map<std::string, Tensor<float, 2>> matrices_;
  std::string shard_;
  std::vector<data::Sample> encoded_;  // of shard_
  Workspace workspace_;
};

}  // namespace

int main() {
  Worker worker;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      const double answer = worker.run(Task(line));
      std::cout << "ok " << answer << std::endl;
    } catch (const std::exception& error) {
      std::cout << "error " << error.what() << std::endl;
    }
  }
}
