#pragma once
/// Moves parameters between a model and the tensors of a checkpoint.
#include <string>
#include <vector>

#include "couplet/checkpoint/name_map.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/checkpoint/sharded.hpp"
#include "couplet/models/clip.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

namespace detail {

/// Everything that is wrong with a checkpoint, told together.
class TensorProblems {
 public:
  static constexpr std::size_t most_lines = 20;

  void add(std::string line) { lines_.push_back(std::move(line)); }

  void throw_if_any(const std::string& path, const std::string& source) const {
    if (lines_.empty()) return;
    std::string text = std::to_string(lines_.size()) + " tensors do not fit the model that " + source + " describes:";
    for (std::size_t i = 0; i < lines_.size() && i < most_lines; ++i) text += "\n  " + lines_[i];
    if (lines_.size() > most_lines) {
      text += "\n  and " + std::to_string(lines_.size() - most_lines) + " more";
    }
    throw file_error(path, text);
  }

 private:
  std::vector<std::string> lines_;
};

/// The shape of one of `parts` tensors stacked along the first dimension.
inline std::vector<std::int64_t> part_shape(const Shape& shape, std::size_t parts) {
  std::vector<std::int64_t> extents(shape.begin(), shape.end());
  if (parts > 1) extents[0] /= static_cast<std::int64_t>(parts);
  return extents;
}

/// Equal, or both a single number: files hold logit_scale as [] or as [1].
inline bool same_shape(const std::vector<std::int64_t>& expected, const std::vector<std::int64_t>& found) {
  const auto single = [](const std::vector<std::int64_t>& shape) {
    return shape.empty() || (shape.size() == 1 && shape[0] == 1);
  };
  return expected == found || (single(expected) && single(found));
}

/// Buffers that old files of transformers hold beside the parameters.
inline bool ignorable(std::string_view tensor) { return tensor.ends_with(".position_ids"); }

inline bool is_siglip(const ClipConfig& config) { return config.family == ClipConfig::Family::siglip; }

}  // namespace detail

/// The number of elements of all parameters that `config` asks for; std::invalid_argument when it overflows.
inline Index parameter_count(const ClipConfig& config) {
  const auto block = [](Index width, Index mlp) {
    const Index attention = checked_multiply(4 * width, width + 1);
    return attention + checked_multiply(2 * width, mlp) + mlp + 5 * width;
  };
  const VisionConfig& v = config.vision;
  const TextConfig& t = config.text;
  const Index patch = checked_multiply(v.channels * v.patch_size, v.patch_size);
  const bool pooled = v.pool == VisionPool::attention_pool;
  const Index vectors = (v.class_token ? 1 : 0) + (v.patch_bias ? 1 : 0) + (v.ln_pre ? 2 : 0) + 2;  // of width v.width
  Index count = checked_multiply(v.layers, block(v.width, v.mlp_width));
  count += checked_multiply(v.width, patch + v.tokens() + vectors + (v.projection ? config.embed_dim : 0));
  if (pooled) count += block(v.width, v.mlp_width) - v.width;  // a probe and one LayerNorm instead of two
  count += checked_multiply(t.layers, block(t.width, t.mlp_width));
  count += checked_multiply(t.width, t.vocab_size + t.context_length + 2 + config.embed_dim);
  return count + (t.projection_bias ? config.embed_dim : 0) + 1 + (config.init_logit_bias ? 1 : 0);
}

/// Reads all parameters of `model` and prepares it. file_error lists all missing, unexpected and mis-shaped tensors
/// together; `source` names the file that the model's structure came from.
template <class T>
void load_parameters(Clip<T>& model, const checkpoint::Checkpoint& checkpoint, const std::string& source) {
  const bool siglip = detail::is_siglip(model.config());
  detail::TensorProblems problems;
  std::vector<std::pair<const checkpoint::TensorInfo*, T*>> reads;
  std::vector<std::string_view> used;
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    const std::vector<std::string> tensors = checkpoint::hugging_face_tensors(name, siglip);
    const std::vector<std::int64_t> shape = detail::part_shape(parameter.shape, tensors.size());
    T* destination = parameter.value.data();
    for (const std::string& tensor : tensors) {
      const checkpoint::TensorInfo* found = checkpoint.find(tensor);
      const std::string expected = tensor + ": expected " + checkpoint::shape_text(shape);
      if (found == nullptr) {
        problems.add(expected + ", missing");
      } else {
        used.push_back(found->name);
        if (!detail::same_shape(shape, found->shape)) {
          problems.add(expected + ", found " + checkpoint::shape_text(found->shape));
        }
        reads.emplace_back(found, destination);
      }
      destination += parameter.size() / static_cast<Index>(tensors.size());
    }
  });
  std::sort(used.begin(), used.end());
  for (const checkpoint::TensorInfo& tensor : checkpoint.tensors()) {
    if (!std::binary_search(used.begin(), used.end(), tensor.name) && !detail::ignorable(tensor.name)) {
      problems.add(printable(tensor.name) + ": " + checkpoint::shape_text(tensor.shape) + ", unexpected");
    }
  }
  problems.throw_if_any(checkpoint.files().front().path(), source);
  for (const auto& [tensor, destination] : reads) checkpoint.read(*tensor, destination, tensor->count());
  model.prepare();
}

/// All parameters under their Hugging Face names, to be saved as `dtype`. They borrow the model's memory.
template <class T>
std::vector<checkpoint::TensorRecord> parameter_records(Clip<T>& model, checkpoint::DType dtype) {
  const bool siglip = detail::is_siglip(model.config());
  std::vector<checkpoint::TensorRecord> records;
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    const std::vector<std::string> tensors = checkpoint::hugging_face_tensors(name, siglip);
    const T* source = parameter.value.data();
    for (const std::string& tensor : tensors) {
      records.push_back(
          checkpoint::tensor_record(tensor, dtype, detail::part_shape(parameter.shape, tensors.size()), source));
      source += parameter.size() / static_cast<Index>(tensors.size());
    }
  });
  return records;
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
