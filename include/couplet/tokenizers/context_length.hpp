#pragma once
/// How many ids a text may become.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

inline constexpr std::int64_t max_context_length = std::int64_t{1} << 20;
/// For encode(): keep all ids.
inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// A length for padded rows; std::invalid_argument unless it is in [2, max_context_length].
inline std::int64_t checked_context_length(std::int64_t length) {
  if (length < 2 || length > max_context_length) {
    fail("tokenizer", "expected a context length in [2, " + std::to_string(max_context_length) + "], found " +
                          std::to_string(length));
  }
  return length;
}

/// The longest row that encode() may make; std::invalid_argument when it has no room for two ids.
inline std::size_t checked_room(std::size_t max_length) {
  if (max_length < 2) fail("tokenizer", "expected room for two ids or more, found " + std::to_string(max_length));
  return max_length;
}

}  // namespace couplet::inline COUPLET_ABI::tokenizers
