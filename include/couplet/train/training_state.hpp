#pragma once
/// The whole state of a training run in one safetensors file, written atomically: parameters (under couplet's own
/// names, float32), moments of the optimiser, and everything else as metadata.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/io/json.hpp"
#include "couplet/models/clip.hpp"
#include "couplet/optim/adamw.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// Where a run stands. Random draws are keyed by (seed, epoch, sample), so these numbers are also the random state.
struct Progress {
  std::int64_t step = 0;   ///< optimiser steps done
  std::int64_t epoch = 0;  ///< of the next batch
  std::int64_t batch = 0;  ///< of the next batch, within its epoch
  double best_score = -1;  ///< highest mean of R@1 both ways so far
  std::int64_t best_step = 0;
  double logit_scale_limit = 0;  ///< the clamp's upper bound, from the model as it was loaded

  friend bool operator==(const Progress&, const Progress&) = default;
};

namespace detail {

inline constexpr const char* state_format = "couplet training state 1";

inline std::string progress_json(const Progress& progress) {
  io::JsonWriter json(0);
  json.begin_object();
  json.key("step").value(progress.step).key("epoch").value(progress.epoch).key("batch").value(progress.batch);
  json.key("best_score").value(progress.best_score).key("best_step").value(progress.best_step);
  json.key("logit_scale_limit").value(progress.logit_scale_limit).end_object();
  return json.str();
}

inline Progress parse_progress(const std::string& text, const std::string& path) {
  const io::JsonField field(io::Json::parse(text, path), path);
  constexpr std::int64_t most = std::int64_t{1} << 53;
  Progress progress;
  progress.step = field.at("step").integer(0, most);
  progress.epoch = field.at("epoch").integer(0, most);
  progress.batch = field.at("batch").integer(0, most);
  progress.best_score = field.at("best_score").number(-1, 100);
  progress.best_step = field.at("best_step").integer(0, most);
  progress.logit_scale_limit = field.at("logit_scale_limit").number(0, 1000);
  return progress;
}

/// Calls f(name, shape, data) for every tensor of the state, in a fixed order.
template <class T, class F>
void visit_state(Clip<T>& model, optim::AdamW<T>& optimizer, F&& f) {
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    f(std::string(name), parameter.shape, parameter.value.data());
  });
  optimizer.visit_state(
      [&](const std::string& name, const Shape& shape, TensorView<T, 1> values) { f(name, shape, values.data()); });
}

template <class T>
constexpr checkpoint::DType state_dtype = std::is_same_v<T, double> ? checkpoint::DType::f64 : checkpoint::DType::f32;

}  // namespace detail

/// `fingerprint` describes the run (options, data, model); a state is only resumed by a run with the same one.
template <class T>
void save_training_state(const std::string& path, Clip<T>& model, optim::AdamW<T>& optimizer, const Progress& progress,
                         const std::string& fingerprint) {
  std::vector<checkpoint::TensorRecord> records;
  detail::visit_state(model, optimizer, [&](const std::string& name, const Shape& shape, T* data) {
    records.push_back(checkpoint::tensor_record(name, detail::state_dtype<T>,
                                                std::vector<std::int64_t>(shape.begin(), shape.end()), data));
  });
  checkpoint::save_safetensors(
      path, records,
      {{"format", detail::state_format}, {"progress", detail::progress_json(progress)}, {"run", fingerprint}});
}

/// Puts model and optimiser into the state of the file and prepares the model. file_error: not a training state, of
/// another run, or of another model.
template <class T>
Progress load_training_state(const std::string& path, Clip<T>& model, optim::AdamW<T>& optimizer,
                             const std::string& fingerprint) {
  const checkpoint::SafetensorsFile file(path);
  const auto metadata = [&](const char* key) -> const std::string& {
    const std::string* found = file.find_metadata(key);
    if (found == nullptr)
      throw file_error(path, std::string("not a training state: no \"") + key + "\" in its metadata");
    return *found;
  };
  if (metadata("format") != detail::state_format) throw file_error(path, "a training state of another version");
  if (metadata("run") != fingerprint) {
    throw file_error(path, "belongs to a run with other options\n  saved: " + printable(metadata("run"), 2000) +
                               "\n  now:   " + printable(fingerprint, 2000));
  }
  const Progress progress = detail::parse_progress(metadata("progress"), path);
  std::size_t expected = 0;
  detail::visit_state(model, optimizer, [&](const std::string& name, const Shape& shape, T* data) {
    ++expected;
    const checkpoint::TensorInfo* found = file.find(name);
    if (found == nullptr) throw file_error(path, "tensor " + name + ": expected " + to_string(shape) + ", missing");
    if (found->shape != std::vector<std::int64_t>(shape.begin(), shape.end())) {
      throw file_error(path, "tensor " + name + ": expected " + to_string(shape) + ", found " +
                                 checkpoint::shape_text(found->shape));
    }
    file.read(*found, data, found->count());
  });
  if (expected != file.tensors().size()) {
    throw file_error(
        path, "holds " + std::to_string(file.tensors().size()) + " tensors, expected " + std::to_string(expected));
  }
  optimizer.set_steps(progress.step);
  model.prepare();
  return progress;
}

}  // namespace couplet::inline COUPLET_ABI::train
