#pragma once
/// Freezing an image tower, wholly or up to its last groups, for locked-image tuning.
/// Zhai et al., "LiT: Zero-Shot Transfer with Locked-image text Tuning", 2022.
#include <string>

#include "couplet/models/image_tower.hpp"
#include "couplet/nn/module.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// The groups of a tower with L blocks, as open_clip's VisionTransformer.lock counts them: embeddings and ln_pre; each
/// block but the last; the last block with ln_post; the projection (SigLIP: the attention pool; CoCa: with
/// the pooler).
template <class T>
[[nodiscard]] Index lock_groups(const VisionTransformer<T>& tower) {
  return static_cast<Index>(tower.transformer.resblocks.size()) + 2;
}

/// Freezes all but the last `unlocked_groups` groups. std::invalid_argument: there are not that many.
template <class T>
void lock_image_tower(VisionTransformer<T>& tower, Index unlocked_groups) {
  const Index groups = lock_groups(tower);
  if (unlocked_groups < 0 || unlocked_groups > groups) {
    fail("lock_image",
         "expected at most " + std::to_string(groups) + " unlocked groups, found " + std::to_string(unlocked_groups));
  }
  nn::set_trainable(tower, false);
  const auto unlocked = [&](Index group) { return group >= groups - unlocked_groups; };
  auto& blocks = tower.transformer.resblocks;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (unlocked(static_cast<Index>(i) + 1)) nn::set_trainable(blocks[i], true);
  }
  if (unlocked(groups - 2)) nn::set_trainable(tower.ln_post, true);
  if (unlocked(groups - 1)) {
    nn::set_trainable(tower.proj, true);
    nn::set_trainable(tower.attn_pool, true);
    nn::set_trainable(tower.attn_pooler, true);
  }
  if (unlocked(0)) nn::set_trainable(tower, true);
}

/// The same of an image tower of any kind. Residual networks are frozen wholly or not at all, as in open_clip; a frozen
/// one runs as in inference, so that the statistics of its batch norm stay as they are, too.
template <class T>
void lock_image_tower(ImageTower<T>& tower, Index unlocked_groups) {
  if (!tower.is_resnet()) return lock_image_tower(tower.transformer(), unlocked_groups);
  if (unlocked_groups != 0) fail("lock_image", "a residual network has no groups that learn while it is locked");
  nn::set_trainable(tower, false);
}

}  // namespace couplet::inline COUPLET_ABI::train
