#pragma once
/// Runs a test on every level whose kernels multiply in bfloat16.
#include <gtest/gtest.h>

#include "couplet/simd/cpu.hpp"
#include "support/amx_emulator.hpp"

namespace couplet::test {

/// f(level) for the levels of this machine, and for amx under the emulator.
template <class F>
void for_each_bf16_level(F&& f) {
  using simd::Level;
  bool any = false;
  for (const Level level : {Level::avx512_bf16, Level::amx}) {
    const bool native = level <= simd::detected_level();
    if (!native && !(level == Level::amx && AmxEmulator::possible())) continue;
    SCOPED_TRACE("level " + simd::to_string(level) + (native ? "" : ", emulated"));
    const AmxEmulator emulator;
    f(level);
    any = true;
  }
  if (!any) GTEST_SKIP() << "this machine has no AVX512-BF16";
}

}  // namespace couplet::test
