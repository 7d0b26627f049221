#pragma once
/// What tells one text tower from another: for files that keep what it computed.
#include <optional>
#include <string>
#include <vector>

#include "couplet/io/checksum.hpp"
#include "couplet/pretrained/pretrained.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

namespace detail {

/// A parameter and, where only its packed form is in memory, the tensors that it came from.
template <class T>
struct IdentifiedParameter {
  std::string name;
  const Parameter<T>* parameter;
  std::vector<TensorRead<T>> reads;
};

/// Of all elements, without having them in memory at once.
template <class T>
std::uint64_t tensor_checksum(const checkpoint::Checkpoint& checkpoint, const checkpoint::TensorInfo& tensor) {
  std::vector<T> part(std::size_t{1} << 16U);
  std::uint64_t hash = io::empty_checksum;
  for (std::size_t first = 0; first < tensor.count(); first += part.size()) {
    const std::size_t count = std::min(part.size(), tensor.count() - first);
    checkpoint.read_part(tensor, first, part.data(), count);
    hash = io::checksum_bytes(part.data(), count * sizeof(T), hash);
  }
  return hash;
}

template <class T>
std::uint64_t values_checksum(const checkpoint::Checkpoint* checkpoint, const IdentifiedParameter<T>& one) {
  const std::size_t bytes = static_cast<std::size_t>(one.parameter->size()) * sizeof(T);
  if (one.reads.empty()) return io::checksum_bytes(one.parameter->value.data(), bytes);
  if (one.reads.size() == 1 && same_order(one.reads.front().form)) {
    return tensor_checksum<T>(*checkpoint, *one.reads.front().tensor);
  }
  std::vector<T> values(static_cast<std::size_t>(one.parameter->size()));
  for (const TensorRead<T>& read : one.reads) read_tensor(*checkpoint, read, values.data());
  return io::checksum_bytes(values.data(), bytes);
}

}  // namespace detail

/// Structure, precision and a checksum of the weights. Weights of which only the packed form is in memory are read once
/// more from the directory that the model came from, so the same model has the same identity in every nn::Packing.
/// std::invalid_argument: they came from no directory. file_error: it does not hold them any more.
template <class T>
std::string text_tower_identity(const Pretrained<T>& bundle) {
  const ClipConfig& config = bundle.model.config();
  std::vector<detail::IdentifiedParameter<T>> parameters;
  std::optional<ModelFiles> files;
  detail::TensorProblems problems;
  // Visiting is not const, but this visitor changes nothing.
  const_cast<TextTransformer<T>&>(bundle.model.text).visit_parameters([&](std::string_view name, Parameter<T>& p) {
    auto& one = parameters.emplace_back(detail::IdentifiedParameter<T>{std::string(name), &p, {}});
    if (!p.value.dropped()) return;
    if (bundle.directory.empty()) {
      fail("text_tower_identity", "only packed weights are in memory, and the model came from no directory");
    }
    if (!files) files = open_model(bundle.directory, bundle.layout);
    one.reads = detail::find_tensors(files->checkpoint, files->names, name, p, p.shape, problems);
  });
  if (files) problems.throw_if_any(files->checkpoint.files().front().path(), files->source);
  std::vector<std::uint64_t> sums(parameters.size());
  parallel_for(std::ssize(parameters), [&](Index i) {
    const auto at = static_cast<std::size_t>(i);
    sums[at] = detail::values_checksum<T>(files ? &files->checkpoint : nullptr, parameters[at]);
  });
  std::uint64_t all = io::empty_checksum;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    all = io::checksum_bytes(&sums[i], sizeof sums[i], io::checksum(parameters[i].name, all));
  }
  return detail::family_name(config) + " text tower " + detail::text_text(config.text) + ", " +
         std::to_string(config.embed_dim) + " features, products in " + to_string(bundle.model.precision()) +
         ", weights " + io::checksum_text(all);
}

}  // namespace couplet::inline COUPLET_ABI::pretrained
