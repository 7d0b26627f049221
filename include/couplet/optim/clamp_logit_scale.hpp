#pragma once
/// Keeps the temperature in bounds after each step: logit_scale (stored as its log) stays in [0, limit].
///
/// CLIP's limit is ln 100, and open_clip clamps every model to it. Published SigLIP checkpoints exceed ln 100, so a
/// model that was loaded above it keeps its own value as the limit: fine-tuning must not begin with a jump.
#include <algorithm>
#include <span>

#include "couplet/nn/parameter.hpp"

namespace couplet::inline COUPLET_ABI::optim {

inline constexpr double ln_100 = 4.605170185988092;

/// The upper bound for a model whose logit_scale was `value_at_load` before the first step.
template <class T>
[[nodiscard]] T logit_scale_limit(T value_at_load) {
  return std::max(static_cast<T>(ln_100), value_at_load);
}

/// A frozen logit_scale is left alone.
template <class T>
void clamp_logit_scale(Parameter<T>& logit_scale, T limit) {
  if (!logit_scale.trainable) return;
  for (T& value : std::span(logit_scale.value.data(), static_cast<std::size_t>(logit_scale.size()))) {
    value = std::clamp(value, T(0), limit);
  }
}

}  // namespace couplet::inline COUPLET_ABI::optim
