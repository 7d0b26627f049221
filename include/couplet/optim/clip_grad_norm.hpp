#pragma once
/// The length of all gradients taken as one vector, and PyTorch's clipping to a maximum:
///
///   norm = sqrt(sum g^2)        coefficient = min(1, max_norm / (norm + 1e-6))        g <- coefficient g
///
/// The squares are added in double, parameters in order and each in fixed chunks, so the bits do not depend on the
/// number of threads. The same pass looks for infinities and NaN. The optimiser multiplies by the coefficient as it
/// reads the gradients: AdamW::step(lr, coefficient).
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>

#include "couplet/core/parallel.hpp"
#include "couplet/nn/parameter.hpp"
#include "couplet/optim/finite.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// What one pass over the gradients found.
struct GradientNorm {
  double norm = 0;       ///< not finite when a gradient is not
  Index non_finite = 0;  ///< how many elements are infinite or NaN
  std::string name;      ///< the first parameter that holds one, and where in it
  Index first_index = 0;

  [[nodiscard]] bool finite() const { return non_finite == 0; }
  /// "2 elements of the gradients are not finite, the first in visual.proj.weight at index 17"
  [[nodiscard]] std::string message() const {
    if (finite()) return {};
    return std::to_string(non_finite) + " elements of the gradients are not finite, the first in " + name +
           " at index " + std::to_string(first_index);
  }
};

namespace detail {

inline constexpr Index gradient_chunk = Index{1} << 16;

struct ChunkNorm {
  double squares;
  Index non_finite;
};

template <class T>
ChunkNorm chunk_norm(const T* values, Index count) {
  const Index non_finite = count_non_finite(values, count);
  if constexpr (std::is_same_v<T, float>) return {simd::reduce_kernels().dot(values, values, count), non_finite};
  double squares = 0;
  for (Index i = 0; i < count; ++i) squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return {squares, non_finite};
}

template <class T>
ChunkNorm parameter_norm(const T* values, Index count, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const Index chunks = (count + gradient_chunk - 1) / gradient_chunk;
  auto* parts = workspace.take<ChunkNorm>(chunks);
  parallel_for(chunks, [&](Index chunk) {
    const Index begin = chunk * gradient_chunk;
    parts[chunk] = chunk_norm(values + begin, std::min(gradient_chunk, count - begin));
  });
  ChunkNorm total{0, 0};
  for (Index chunk = 0; chunk < chunks; ++chunk) {
    total.squares += parts[chunk].squares;
    total.non_finite += parts[chunk].non_finite;
  }
  return total;
}

}  // namespace detail

/// Over every trainable parameter of `model` that has a gradient.
template <class Model>
[[nodiscard]] GradientNorm gradient_norm(Model& model, Workspace& workspace) {
  GradientNorm result;
  double squares = 0;
  model.visit_parameters([&](std::string_view name, auto& parameter) {
    if (!parameter.trainable || !parameter.has_grad()) return;
    const auto* values = parameter.grad.data();
    const auto part = detail::parameter_norm(values, parameter.size(), workspace);
    squares += part.squares;
    if (part.non_finite > 0 && result.non_finite == 0) {
      result.name = name;
      result.first_index = first_non_finite(values, parameter.size());
    }
    result.non_finite += part.non_finite;
  });
  result.norm = std::sqrt(squares);
  return result;
}

/// What to multiply the gradients by: torch.nn.utils.clip_grad_norm_'s coefficient, never above 1.
[[nodiscard]] inline double clip_coefficient(double norm, double max_norm) {
  if (!(max_norm > 0)) fail("clip_grad_norm", "max_norm must be positive: " + std::to_string(max_norm));
  return std::min(1.0, max_norm / (norm + 1e-6));
}

/// Clips in place and returns what was found before. Gradients that are not finite are left as they are.
template <class Model>
GradientNorm clip_grad_norm(Model& model, double max_norm, Workspace& workspace) {
  const GradientNorm found = gradient_norm(model, workspace);
  const double coefficient = clip_coefficient(found.norm, max_norm);
  if (!found.finite() || coefficient >= 1) return found;
  model.visit_parameters([&](std::string_view, auto& parameter) {
    if (!parameter.trainable || !parameter.has_grad()) return;
    using T = std::remove_pointer_t<decltype(parameter.grad.data())>;
    T* values = parameter.grad.data();
    for (Index i = 0; i < parameter.size(); ++i) values[i] *= static_cast<T>(coefficient);
  });
  return found;
}

}  // namespace couplet::inline COUPLET_ABI::optim
