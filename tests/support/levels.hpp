#pragma once
/// Runs a test on every instruction-set level of this machine.
#include <gtest/gtest.h>

#include "couplet/simd/cpu.hpp"

namespace couplet::test {

/// f(level), with the level active, for every level that this machine runs, up to avx512: those above compute float32
/// by the same code.
template <class F>
void for_each_level(F&& f) {
  for (const simd::Level level : simd::available_levels()) {
    if (level > simd::Level::avx512) continue;
    SCOPED_TRACE("level " + simd::to_string(level));
    const simd::ScopedLevel scoped(level);
    f(level);
  }
}

}  // namespace couplet::test
