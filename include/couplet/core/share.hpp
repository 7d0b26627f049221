#pragma once
/// How n things are divided among workers: part i of p has [i n / p, (i + 1) n / p), so that sizes differ by one at
/// most.
#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI {

struct Share {
  Index begin;
  Index end;
  [[nodiscard]] Index size() const { return end - begin; }
};

inline Share share_of(Index n, Index part, Index parts) {
  if (n < 0 || parts < 1 || part < 0 || part >= parts) {
    fail("share_of", "no part " + std::to_string(part) + " of " + std::to_string(parts) + " in " + std::to_string(n));
  }
  return {checked_multiply(n, part) / parts, checked_multiply(n, part + 1) / parts};
}

}  // namespace couplet::inline COUPLET_ABI
