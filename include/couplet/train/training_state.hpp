#pragma once
/// The whole state of a training run in one safetensors file, written atomically: parameters (under couplet's own
/// names, float32), the optimiser's state, the averaged weights, and everything else as metadata with a checksum.
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/core/parallel.hpp"
#include "couplet/image/checksum.hpp"
#include "couplet/io/json.hpp"
#include "couplet/nn/module.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// Where a run stands. Random draws are keyed by (seed, epoch, sample), so these numbers are also the random state.
struct Progress {
  std::int64_t step = 0;            ///< steps done, skipped ones included
  std::int64_t skipped = 0;         ///< of these, steps that changed nothing because something was not finite
  std::int64_t skipped_in_row = 0;  ///< the last steps, all skipped
  std::int64_t epoch = 0;           ///< of the next batch
  std::int64_t batch = 0;           ///< of the next batch, within its epoch
  double best_score = -1;           ///< highest mean of R@1 both ways so far
  std::int64_t best_step = 0;
  double logit_scale_limit = 0;  ///< the clamp's upper bound, from the model as it was loaded

  friend bool operator==(const Progress&, const Progress&) = default;
};

/// One tensor of the state, where it lies in memory.
template <class T>
struct StateTensor {
  std::string name;
  Shape shape;
  T* data;
};

/// The tensors of a model, buffers included, and of what has a visit_state(): optimiser, average.
template <class T, class Model, class... Parts>
std::vector<StateTensor<T>> state_tensors(Model& model, Parts&... parts) {
  std::vector<StateTensor<T>> tensors;
  nn::visit_state(model, [&](std::string_view name, Parameter<T>& parameter) {
    tensors.push_back({std::string(name), parameter.shape, parameter.value.data()});
  });
  [[maybe_unused]] const auto add = [&](const std::string& name, const Shape& shape, TensorView<T, 1> values) {
    tensors.push_back({name, shape, values.data()});
  };
  (parts.visit_state(add), ...);
  return tensors;
}

namespace detail {

inline constexpr const char* state_format = "couplet training state 2";

inline std::string progress_json(const Progress& progress) {
  io::JsonWriter json(0);
  json.begin_object();
  json.key("step").value(progress.step).key("skipped").value(progress.skipped);
  json.key("skipped_in_row").value(progress.skipped_in_row);
  json.key("epoch").value(progress.epoch).key("batch").value(progress.batch);
  json.key("best_score").value(progress.best_score).key("best_step").value(progress.best_step);
  json.key("logit_scale_limit").value(progress.logit_scale_limit).end_object();
  return json.str();
}

inline Progress parse_progress(const std::string& text, const std::string& path) {
  const io::JsonField field(io::Json::parse(text, path), path);
  constexpr std::int64_t most = std::int64_t{1} << 53;
  Progress progress;
  progress.step = field.at("step").integer(0, most);
  progress.skipped = field.at("skipped").integer(0, progress.step);
  progress.skipped_in_row = field.at("skipped_in_row").integer(0, progress.skipped);
  progress.epoch = field.at("epoch").integer(0, most);
  progress.batch = field.at("batch").integer(0, most);
  progress.best_score = field.at("best_score").number(-1, 100);
  progress.best_step = field.at("best_step").integer(0, most);
  progress.logit_scale_limit = field.at("logit_scale_limit").number(0, 1000);
  return progress;
}

inline std::uint32_t text_crc32(const std::string& text, std::uint32_t crc = 0) {
  return image::crc32({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, crc);
}

/// "crc32:89abcdef" over `words` and over name, shape and CRC-32 of each tensor's bytes. Guards against damage, not
/// against forgery. Tensors are read in parallel: a state is as large as the disk is slow.
template <class T>
std::string state_checksum(const std::vector<StateTensor<T>>& tensors, const std::string& words) {
  std::vector<std::uint32_t> parts(tensors.size());
  parallel_for(static_cast<Index>(tensors.size()), [&](Index i) {
    const StateTensor<T>& tensor = tensors[static_cast<std::size_t>(i)];
    const auto bytes = static_cast<std::size_t>(tensor.shape.size()) * sizeof(T);
    parts[static_cast<std::size_t>(i)] = image::crc32({reinterpret_cast<const std::uint8_t*>(tensor.data), bytes});
  });
  std::uint32_t crc = text_crc32(words);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    crc = text_crc32(tensors[i].name + ' ' + to_string(tensors[i].shape) + ' ' + std::to_string(parts[i]) + '\n', crc);
  }
  char text[16];
  std::snprintf(text, sizeof text, "crc32:%08x", static_cast<unsigned>(crc));
  return text;
}

template <class T>
constexpr checkpoint::DType state_dtype = std::is_same_v<T, double> ? checkpoint::DType::f64 : checkpoint::DType::f32;

inline const std::string& state_metadata(const checkpoint::SafetensorsFile& file, const char* key) {
  const std::string* found = file.find_metadata(key);
  if (found == nullptr) {
    throw file_error(file.path(), std::string("not a training state: no \"") + key + "\" in its metadata");
  }
  return *found;
}

/// A value of a run's line, as a person reads it.
inline std::string value_text(const io::Json& value) {
  using Kind = io::Json::Kind;
  switch (value.kind()) {
    case Kind::boolean:
      return value.as_boolean() ? "true" : "false";
    case Kind::integer:
      return std::to_string(value.as_integer());
    case Kind::number: {
      char text[32];
      std::snprintf(text, sizeof text, "%.17g", value.as_number());
      return text;
    }
    case Kind::string:
      return printable(value.as_string());
    case Kind::array: {
      std::string text;
      for (const io::Json& item : value.items()) text += (text.empty() ? "" : ",") + value_text(item);
      return text;
    }
    default:
      return "(unknown)";
  }
}

/// What differs between two runs' lines, JSON objects: a line per key.
inline std::string run_differences(const std::string& saved, const std::string& now, const std::string& path) {
  const io::Json before = io::Json::parse(saved, path), after = io::Json::parse(now, path);
  const auto text = [](const io::Json& run, const std::string& key) {
    const io::Json* const value = run.find(key);
    return value != nullptr ? value_text(*value) : std::string("(nothing)");
  };
  std::string differences;
  const auto compare = [&](const std::string& key) {
    const std::string was = text(before, key), is = text(after, key);
    if (was != is) differences += "\n  " + printable(key) + ": saved " + was + ", now " + is;
  };
  for (const auto& [key, value] : after.members()) compare(key);
  for (const auto& [key, value] : before.members()) {
    if (after.find(key) == nullptr) compare(key);
  }
  return differences;
}

}  // namespace detail

/// `fingerprint`, a JSON object, describes the run (options, data, model); a state is only resumed by a run with the
/// same one.
template <class T>
void save_training_state(const std::string& path, const std::vector<StateTensor<T>>& tensors, const Progress& progress,
                         const std::string& fingerprint) {
  std::vector<checkpoint::TensorRecord> records;
  for (const StateTensor<T>& tensor : tensors) {
    records.push_back(checkpoint::tensor_record(tensor.name, detail::state_dtype<T>,
                                                std::vector<std::int64_t>(tensor.shape.begin(), tensor.shape.end()),
                                                static_cast<const T*>(tensor.data)));
  }
  const std::string progress_text = detail::progress_json(progress);
  checkpoint::save_safetensors(path, records,
                               {{"format", detail::state_format},
                                {"progress", progress_text},
                                {"run", fingerprint},
                                {"checksum", detail::state_checksum(tensors, progress_text + fingerprint)}});
}

/// Reads the tensors of the file to where `tensors` lie. file_error: not a training state, of another run, of another
/// model, or damaged.
template <class T>
Progress load_training_state(const std::string& path, const std::vector<StateTensor<T>>& tensors,
                             const std::string& fingerprint) {
  const checkpoint::SafetensorsFile file(path);
  if (detail::state_metadata(file, "format") != detail::state_format) {
    throw file_error(path, "a training state of another version");
  }
  const std::string& run = detail::state_metadata(file, "run");
  if (run != fingerprint) {
    throw file_error(path, "belongs to a run with other options:" + detail::run_differences(run, fingerprint, path));
  }
  const std::string& progress_text = detail::state_metadata(file, "progress");
  const Progress progress = detail::parse_progress(progress_text, path);
  for (const auto& [name, shape, data] : tensors) {
    const checkpoint::TensorInfo* found = file.find(name);
    if (found == nullptr) throw file_error(path, "tensor " + name + ": expected " + to_string(shape) + ", missing");
    if (found->shape != std::vector<std::int64_t>(shape.begin(), shape.end())) {
      throw file_error(path, "tensor " + name + ": expected " + to_string(shape) + ", found " +
                                 checkpoint::shape_text(found->shape));
    }
    file.read(*found, data, found->count());
  }
  if (tensors.size() != file.tensors().size()) {
    throw file_error(path, "holds " + std::to_string(file.tensors().size()) + " tensors, expected " +
                               std::to_string(tensors.size()));
  }
  const std::string checksum = detail::state_checksum(tensors, progress_text + run);
  const std::string& expected = detail::state_metadata(file, "checksum");
  if (checksum != expected) {
    throw file_error(path, "damaged: expected the checksum " + printable(expected) + ", found " + checksum);
  }
  return progress;
}

}  // namespace couplet::inline COUPLET_ABI::train
