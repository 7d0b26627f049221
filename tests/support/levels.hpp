#pragma once
/// Runs a test on every instruction-set level of this machine.
#include <gtest/gtest.h>

#include "couplet/simd/cpu.hpp"

namespace couplet::test {

/// f(level), with the level active, for every level that has kernels and that this machine runs.
template <class F>
void for_each_level(F&& f) {
  for (const simd::Level level : simd::available_levels()) {
    SCOPED_TRACE("level " + simd::to_string(level));
    const simd::ScopedLevel scoped(level);
    f(level);
  }
}

}  // namespace couplet::test
