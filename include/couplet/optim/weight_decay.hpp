#pragma once
/// Which parameters shrink: the rule of open_clip 4.
///
/// Weight decay acts on matrices (products, convolutions, token tables). It does not act on gains, biases and scalars
/// (at most one dimension), nor on position and class embeddings, which are told by their names.
#include <array>
#include <string_view>

#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// Endings of the names of position and class embeddings, in the layouts of open_clip and of Hugging Face.
inline constexpr std::array<std::string_view, 3> embeddings_without_decay{
    "positional_embedding", "position_embedding.weight", "class_embedding"};

[[nodiscard]] inline bool has_weight_decay(std::string_view name, const Shape& shape) {
  if (shape.rank() <= 1) return false;
  for (const std::string_view ending : embeddings_without_decay) {
    if (name.ends_with(ending)) return false;
  }
  return true;
}

}  // namespace couplet::inline COUPLET_ABI::optim
