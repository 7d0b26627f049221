#pragma once
/// Brings tensors of a checkpoint into parameters: at once, or when the layer that packs them asks (nn::Packing::only).
#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "couplet/checkpoint/name_map.hpp"
#include "couplet/checkpoint/sharded.hpp"
#include "couplet/core/parallel.hpp"
#include "couplet/nn/parameter.hpp"

namespace couplet::inline COUPLET_ABI::pretrained::detail {

/// to (columns, rows) = from (rows, columns), transposed.
template <class T>
void transpose(const T* from, Index rows, Index columns, T* to) {
  for (Index c = 0; c < columns; ++c) {
    for (Index r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
  }
}

/// Whether a tensor's elements are in the parameter's order.
inline bool same_order(checkpoint::Form form) {
  using checkpoint::Form;
  return form == Form::same || form == Form::leading_one || form == Form::leading_ones;
}

/// Brings all elements of a parameter of this shape from the order of the file into its own, or back.
template <class T>
void reorder(const Shape& shape, checkpoint::Form form, bool to_file, const T* from, T* to) {
  if (form == checkpoint::Form::transposed) {
    return transpose(from, to_file ? shape[0] : shape[1], to_file ? shape[1] : shape[0], to);
  }
  const Index channels = shape[1];
  const Index pixels = shape[2] * shape[3];
  for (Index i = 0; i < shape[0]; ++i) {
    const Index at = i * channels * pixels;
    transpose(from + at, to_file ? channels : pixels, to_file ? pixels : channels, to + at);
  }
}

/// A buffer that files hold as an integer: how many batches the running statistics have seen.
inline bool is_count(std::string_view name) { return name.ends_with(".num_batches_tracked"); }

/// A tensor of the file and the parameter, or the part of one, that it holds.
template <class T>
struct TensorRead {
  const checkpoint::TensorInfo* tensor;
  checkpoint::Form form;
  Parameter<T>* parameter;
  Index offset = 0;    // of its elements among the parameter's
  bool count = false;  // an integer in the file
};

/// values: all elements of the parameter, in its order
template <class T>
void read_tensor(const checkpoint::Checkpoint& checkpoint, const TensorRead<T>& read, T* values) {
  T* const to = values + read.offset;
  if (read.count) {
    *to = static_cast<T>(checkpoint.read<std::int64_t>(*read.tensor).front());
  } else if (same_order(read.form)) {
    checkpoint.read(*read.tensor, to, read.tensor->count());
  } else {
    const std::vector<T> elements = checkpoint.read<T>(*read.tensor);
    reorder(read.parameter->shape, read.form, false, elements.data(), to);
  }
}

/// Reads into the parameters' own memory, tensors shared out between threads: into fresh memory it is bound by the
/// processor.
template <class T>
void read_tensors(const checkpoint::Checkpoint& checkpoint, std::span<const TensorRead<T>> reads) {
  for (const TensorRead<T>& read : reads) read.parameter->value.resize(read.parameter->size());
  parallel_for(std::ssize(reads), [&](Index i) {
    const TensorRead<T>& read = reads[static_cast<std::size_t>(i)];
    read_tensor(checkpoint, read, read.parameter->value.data());
  });
}

/// Parameters whose values wait in the checkpoint, until a layer packs them or read_rest() fetches what no layer packs.
/// A layer's values are read into memory that all share, so that there is never more than one layer of them.
template <class T>
class WaitingParameters final : public ParameterSource<T> {
 public:
  /// `reads`: those of one parameter side by side.
  WaitingParameters(const checkpoint::Checkpoint& checkpoint, std::span<const TensorRead<T>> reads)
      : checkpoint_(checkpoint), reads_(reads) {
    for (const TensorRead<T>& each : reads_) each.parameter->source = this;
  }
  ~WaitingParameters() {
    for (const TensorRead<T>& each : reads_) each.parameter->source = nullptr;
  }
  WaitingParameters(const WaitingParameters&) = delete;
  WaitingParameters& operator=(const WaitingParameters&) = delete;

  const T* read(const Parameter<T>& parameter, Index first, Index count) override {
    const bool in_order = std::all_of(reads_.begin(), reads_.end(), [&](const TensorRead<T>& each) {
      return each.parameter != &parameter || in_file_order(each);
    });
    const Index begin = in_order ? first : 0;
    const Index end = in_order ? first + count : parameter.size();
    memory_.resize(end - begin);
    for (const TensorRead<T>& each : reads_) {
      if (each.parameter == &parameter) read_range(each, begin, end, memory_.data());
    }
    return memory_.data() + (first - begin);
  }

  void read_rest() {
    for (const TensorRead<T>& each : reads_) {
      Parameter<T>& parameter = *each.parameter;
      if (parameter.source == nullptr) continue;
      parameter.value.resize(parameter.shape.size());
      read_range(each, 0, parameter.size(), parameter.value.data());
    }
  }

 private:
  static bool in_file_order(const TensorRead<T>& read) { return !read.count && same_order(read.form); }

  /// What the tensor holds of the parameter's elements [begin, end), of which the first goes to `to`; shared out
  /// between threads. All of them where the file has another order.
  void read_range(const TensorRead<T>& read, Index begin, Index end, T* to) {
    if (!in_file_order(read)) return read_tensor(checkpoint_, read, to);
    constexpr Index part = Index{1} << 18U;
    const Index first = std::max(begin, read.offset);
    const Index last = std::min(end, read.offset + static_cast<Index>(read.tensor->count()));
    parallel_for(std::max<Index>(0, last - first + part - 1) / part, [&](Index i) {
      const Index at = first + i * part;
      checkpoint_.read_part(*read.tensor, static_cast<std::size_t>(at - read.offset), to + (at - begin),
                            static_cast<std::size_t>(std::min(part, last - at)));
    });
  }

  const checkpoint::Checkpoint& checkpoint_;
  std::span<const TensorRead<T>> reads_;
  AlignedBuffer<T> memory_;
};

}  // namespace couplet::inline COUPLET_ABI::pretrained::detail
