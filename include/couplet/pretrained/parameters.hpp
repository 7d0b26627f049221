#pragma once
/// Moves parameters and buffers between a model and the tensors of a checkpoint.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "couplet/checkpoint/name_map.hpp"
#include "couplet/checkpoint/safetensors_writer.hpp"
#include "couplet/checkpoint/sharded.hpp"
#include "couplet/models/clip.hpp"
#include "couplet/nn/position_resize.hpp"
#include "couplet/pretrained/tensor_read.hpp"

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

/// The shape in the file of a tensor that holds (rows of) a parameter of this shape.
inline std::vector<std::int64_t> file_shape(const Shape& shape, const checkpoint::FileTensor& tensor) {
  std::vector<std::int64_t> extents(shape.begin(), shape.end());
  if (tensor.of > 1) extents[0] = extents[0] / tensor.of * tensor.parts;
  if (tensor.form == checkpoint::Form::transposed) std::swap(extents[0], extents[1]);
  if (tensor.form == checkpoint::Form::leading_one) extents.insert(extents.begin(), 1);
  if (tensor.form == checkpoint::Form::leading_ones) extents.insert(extents.begin(), {1, 1});
  if (tensor.form == checkpoint::Form::patch_rows) return {extents[0], extents[1] * extents[2] * extents[3]};
  return extents;
}

/// Equal, or both a single number: files hold logit_scale as [] or as [1].
inline bool same_shape(const std::vector<std::int64_t>& expected, const std::vector<std::int64_t>& found) {
  const auto single = [](const std::vector<std::int64_t>& shape) {
    return shape.empty() || (shape.size() == 1 && shape[0] == 1);
  };
  return expected == found || (single(expected) && single(found));
}

inline bool is_siglip(const ClipConfig& config) { return config.family == ClipConfig::Family::siglip; }

/// Elements of one residual block.
inline Index block_parameters(Index width, Index mlp, bool layer_scale = false) {
  const Index attention = checked_multiply(4 * width, width + 1);
  return attention + checked_multiply(2 * width, mlp) + mlp + (layer_scale ? 7 : 5) * width;
}

}  // namespace detail

namespace detail {

/// A convolution or linear layer without bias, then batch norm.
inline Index conv_parameters(Index in, Index out, Index kernel) {
  return checked_multiply(checked_multiply(in, out), kernel * kernel) + 2 * out;
}

inline Index resnet_parameters(const VisionConfig& v, Index embed_dim) {
  const Index half = v.width / 2;
  Index count =
      conv_parameters(v.channels, half, 3) + conv_parameters(half, half, 3) + conv_parameters(half, v.width, 3);
  Index in = v.width;
  for (std::size_t layer = 0; layer < v.resnet_layers->size(); ++layer) {
    const Index middle = v.width << layer;
    const Index out = 4 * middle;
    const Index rest = conv_parameters(middle, middle, 3) + conv_parameters(middle, out, 1);
    count += conv_parameters(in, out, 1) + conv_parameters(in, middle, 1) + rest;  // with the shortcut's
    count += checked_multiply((*v.resnet_layers)[layer] - 1, conv_parameters(out, middle, 1) + rest);
    in = out;
  }
  const Index features = v.resnet_features();
  return count + checked_multiply(features, v.tokens() + 3 * (features + 1) + embed_dim) + embed_dim;
}

/// What a block of EVA02's has more: a norm of the heads' outputs, but no bias of keys; the gate and its norm.
inline Index eva02_parameters(Index width, Index mlp) { return width + checked_multiply(mlp, width + 3); }

/// Tokens of width v.width, answers of width `width`.
inline Index pooler_parameters(const VisionConfig& v, Index width) {
  const Index attention = checked_multiply(width, 2 * width + 2 * v.width + 4);
  return attention + checked_multiply(width, v.pooler_queries + 2) + 2 * v.width;
}

}  // namespace detail

/// The number of elements of all parameters of an image tower; std::invalid_argument when it overflows.
inline Index parameter_count(const VisionConfig& v, Index embed_dim) {
  if (v.is_resnet()) return detail::resnet_parameters(v, embed_dim);
  const Index patch = checked_multiply(v.channels * v.patch_size, v.patch_size);
  const Index vectors = (v.class_token ? 1 : 0) + (v.patch_bias ? 1 : 0) + (v.ln_pre ? 2 : 0);  // of width v.width
  Index count = checked_multiply(v.layers, detail::block_parameters(v.width, v.mlp_width, v.ls_init_value.has_value()));
  if (v.eva02) count += checked_multiply(v.layers, detail::eva02_parameters(v.width, v.mlp_width));
  if (v.projection_bias) count += embed_dim;
  count += checked_multiply(v.width, patch + v.tokens() + vectors);
  count += checked_multiply(v.pooled_width(embed_dim), 2 + (v.projection ? embed_dim : 0));  // ln_post and projection
  if (v.pool == VisionPool::attentional_pooler) count += detail::pooler_parameters(v, embed_dim);
  // The head: a block with a probe and one LayerNorm instead of two.
  return count + (v.pool == VisionPool::attention_pool ? detail::block_parameters(v.width, v.mlp_width) - v.width : 0);
}

/// The same of a text tower.
inline Index parameter_count(const TextConfig& t, Index embed_dim) {
  Index count = checked_multiply(t.layers, detail::block_parameters(t.width, t.mlp_width, t.ls_init_value.has_value()));
  count += checked_multiply(t.width, t.vocab_size + t.positions() + (t.has_class_token() ? 1 : 0) + 2 + embed_dim);
  return count + (t.projection_bias ? embed_dim : 0);
}

/// The same of a whole model.
inline Index parameter_count(const ClipConfig& config) {
  return parameter_count(config.vision, config.embed_dim) + parameter_count(config.text, config.embed_dim) + 1 +
         (config.init_logit_bias ? 1 : 0);
}

/// The position table of the image tower as a file holds it, and how it is resized for a model with another grid.
struct PositionTable {
  nn::Grid grid;
  nn::PositionFilter filter = nn::PositionFilter::bicubic;
};

namespace detail {

/// The grid of a model's patches.
inline nn::Grid grid_of(const VisionConfig& v) { return {v.grid_height(), v.grid_width()}; }

/// What the table of positions is called inside.
inline std::string_view position_name(const VisionConfig& v) {
  return v.is_resnet() ? "visual.attnpool.positional_embedding" : "visual.positional_embedding";
}

/// Reads a table of another grid; the row of the class token (or of the mean) stays as it is.
template <class T>
void read_positions(const checkpoint::Checkpoint& checkpoint, const checkpoint::TensorInfo& tensor,
                    const PositionTable& table, const VisionConfig& v, TensorView<T, 2> positions) {
  const std::vector<T> values = checkpoint.read<T>(tensor);
  const Index first = v.class_token ? 1 : 0;
  const TensorView<const T, 2> rows(values.data(), {first + table.grid.size(), positions.extent(1)});
  copy(rows.slice(0, first), positions.slice(0, first));
  nn::PositionResize(table.grid, grid_of(v), table.filter)
      .template forward<T>(rows.slice(first, rows.extent(0)), positions.slice(first, positions.extent(0)));
}

/// The tensors that hold the parameter `name`, of which the file has `stored` for its shape. What is missing or has
/// another shape becomes a problem.
template <class T>
std::vector<TensorRead<T>> find_tensors(const checkpoint::Checkpoint& checkpoint, const checkpoint::NameMap& names,
                                        std::string_view name, Parameter<T>& parameter, const Shape& stored,
                                        TensorProblems& problems) {
  std::vector<TensorRead<T>> reads;
  for (const checkpoint::FileTensor& tensor : names.tensors_of(name)) {
    const std::vector<std::int64_t> shape = file_shape(stored, tensor);
    const checkpoint::TensorInfo* found = checkpoint.find(tensor.name);
    const std::string expected = tensor.name + ": expected " + checkpoint::shape_text(shape);
    if (found == nullptr) {
      problems.add(expected + ", missing");
      continue;
    }
    if (!same_shape(shape, found->shape)) {
      problems.add(expected + ", found " + checkpoint::shape_text(found->shape));
    }
    reads.push_back({found, tensor.form, &parameter, parameter.size() / tensor.of * tensor.first, is_count(name)});
  }
  return reads;
}

}  // namespace detail

/// How a model is prepared when its weights have been read.
struct Preparation {
  Precision precision = Precision::float32;
  nn::Packing packing = nn::Packing::kept;  ///< only: weights are packed as they are read, layer by layer
};

/// Reads all parameters and buffers of `model` and prepares it, as the last time unless told otherwise. file_error
/// lists all missing, unexpected and mis-shaped tensors together; `source` names the file that the model's structure
/// came from. `table`: the file's grid of positions, where it may be another than the model's.
template <class T>
void load_parameters(Clip<T>& model, const checkpoint::Checkpoint& checkpoint, const checkpoint::NameMap& names,
                     const std::string& source, const std::optional<PositionTable>& table = std::nullopt,
                     const std::optional<Preparation>& preparation = std::nullopt) {
  const VisionConfig& v = model.config().vision;
  const bool resize = table && table->grid != detail::grid_of(v);
  const checkpoint::TensorInfo* positions = nullptr;
  detail::TensorProblems problems;
  std::vector<detail::TensorRead<T>> reads;
  std::vector<std::string_view> used;
  nn::visit_state(model, [&](std::string_view name, Parameter<T>& parameter) {
    const bool resized = resize && name == detail::position_name(v);
    const Shape stored =
        resized ? Shape{(v.class_token ? 1 : 0) + table->grid.size(), parameter.shape[1]} : parameter.shape;
    for (const auto& read : detail::find_tensors(checkpoint, names, name, parameter, stored, problems)) {
      used.push_back(read.tensor->name);
      if (resized) {
        positions = read.tensor;
      } else {
        reads.push_back(read);
      }
    }
  });
  std::sort(used.begin(), used.end());
  for (const checkpoint::TensorInfo& tensor : checkpoint.tensors()) {
    if (!std::binary_search(used.begin(), used.end(), tensor.name) && !names.is_ignored(tensor.name)) {
      problems.add(printable(tensor.name) + ": " + checkpoint::shape_text(tensor.shape) + ", unexpected");
    }
  }
  problems.throw_if_any(checkpoint.files().front().path(), source);
  const auto [precision, packing] = preparation.value_or(Preparation{model.precision(), model.packing()});
  // Vectors come first: batch norm's are folded into the weights that are packed.
  const auto waiting = packing != nn::Packing::only
                           ? reads.end()
                           : std::stable_partition(reads.begin(), reads.end(), [](const detail::TensorRead<T>& read) {
                               return read.parameter->shape.rank() < 2;
                             });
  detail::read_tensors<T>(checkpoint, {reads.begin(), waiting});
  if (positions != nullptr) {
    detail::read_positions(checkpoint, *positions, *table, v, model.visual.positional_embedding().matrix());
  }
  detail::WaitingParameters<T> matrices(checkpoint, {waiting, reads.end()});
  model.prepare(precision, packing);
  matrices.read_rest();
}

namespace detail {

/// How a buffer is saved: counts as integers, statistics not in 16 bits, in which a variance may be 0 or infinite.
template <class T>
checkpoint::TensorRecord buffer_record(const std::string& name, checkpoint::DType dtype, Parameter<T>& buffer) {
  const std::vector<std::int64_t> shape(buffer.shape.begin(), buffer.shape.end());
  if (!is_count(name)) {
    const bool wide = checkpoint::dtype_bytes(dtype) >= 4;
    return checkpoint::tensor_record(name, wide ? dtype : checkpoint::DType::f32, shape,
                                     static_cast<const T*>(buffer.value.data()));
  }
  const auto count = std::make_shared<std::int64_t>(std::llround(*buffer.value.data()));
  checkpoint::TensorRecord record =
      checkpoint::tensor_record(name, checkpoint::DType::i64, shape, static_cast<const std::int64_t*>(count.get()));
  record.fill = [count, fill = record.fill](std::size_t first, std::size_t n, void* out) { fill(first, n, out); };
  return record;
}

}  // namespace detail

/// All parameters and buffers under the names of a layout, to be saved as `dtype`. They borrow the model's memory.
template <class T>
std::vector<checkpoint::TensorRecord> parameter_records(Clip<T>& model, checkpoint::DType dtype,
                                                        const checkpoint::NameMap& names) {
  std::vector<checkpoint::TensorRecord> records;
  model.visit_parameters([&](std::string_view name, Parameter<T>& parameter) {
    for (const checkpoint::FileTensor& tensor : names.tensors_of(name)) {
      const std::vector<std::int64_t> shape = detail::file_shape(parameter.shape, tensor);
      const T* source = parameter.value.data() + parameter.size() / tensor.of * tensor.first;
      if (detail::same_order(tensor.form)) {
        records.push_back(checkpoint::tensor_record(tensor.name, dtype, shape, source));
        continue;
      }
      const auto values = std::make_shared<std::vector<T>>(static_cast<std::size_t>(parameter.size()));
      detail::reorder(parameter.shape, tensor.form, true, source, values->data());
      records.push_back(checkpoint::tensor_record(tensor.name, dtype, shape, values->data()));
      records.back().fill = [values, fill = records.back().fill](std::size_t first, std::size_t count, void* out) {
        fill(first, count, out);
      };
    }
  });
  model.visit_buffers([&](std::string_view name, Parameter<T>& buffer) {
    for (const checkpoint::FileTensor& tensor : names.tensors_of(name)) {
      records.push_back(detail::buffer_record(tensor.name, dtype, buffer));
    }
  });
  return records;
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
