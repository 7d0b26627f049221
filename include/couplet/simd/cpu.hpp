#pragma once
/// Which instruction sets this machine runs, and which one the kernels use.
///
/// CPUID says what the processor has, XGETBV what the operating system saves on a context switch; a level counts only
/// when both agree (Intel SDM volume 1, 13.3 and 14.3). AMX asks the Linux kernel for permission as well.
#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/core/error.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace couplet::inline COUPLET_ABI::simd {

/// Instruction-set levels, each one a superset of those before it.
///   scalar       4 floats by the compiler's vector extension, at the baseline the program is compiled for
///   avx2         AVX2 and FMA
///   avx512       AVX-512 F, BW, DQ, VL
///   avx512_bf16  the same, and products of bfloat16 by VDPBF16PS where they are faster than those of float32
///   amx          the same, and products of bfloat16 on tiles
/// float32 is computed by the same code, and gives the same bits, on the last three.
enum class Level { scalar, avx2, avx512, avx512_bf16, amx };

/// "scalar", "avx2", "avx512", "avx512_bf16", "amx".
inline std::string to_string(Level level) {
  switch (level) {
    case Level::scalar:
      return "scalar";
    case Level::avx2:
      return "avx2";
    case Level::avx512:
      return "avx512";
    case Level::avx512_bf16:
      return "avx512_bf16";
    case Level::amx:
      return "amx";
  }
  return "unknown";
}

/// The inverse of to_string; another text is a std::invalid_argument.
inline Level parse_level(std::string_view text) {
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512, Level::avx512_bf16, Level::amx}) {
    if (text == to_string(level)) return level;
  }
  fail("simd",
       "\"" + printable(text) + "\" is no instruction-set level; there are scalar, avx2, avx512, avx512_bf16 and amx");
}

namespace detail {

#if defined(__x86_64__)
/// XCR0: the register states that the operating system saves.
inline unsigned saved_register_states() {
  unsigned low = 0;
  unsigned high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// Linux keeps the tile registers off until a process asks (ARCH_REQ_XCOMP_PERM of XFEATURE_XTILEDATA).
inline bool request_amx_permission() {
#if defined(__linux__)
  constexpr long request_permission = 0x1023;
  constexpr long tile_data = 18;
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

/// VDPBF16PS takes one cycle on AMD's processors, as a float32 FMA, and does twice the work; on Intel's it takes four
/// times as long as there.
inline bool has_fast_bf16_dot() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __get_cpuid(0, &a, &b, &c, &d);
  const bool amd = b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163;  // "AuthenticAMD"
  return amd && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && ((a >> 5U) & 1U) != 0;
}

inline Level detect_level() {
  const auto has = [](unsigned word, unsigned bit) { return ((word >> bit) & 1U) != 0; };
  const auto saved = [](unsigned mask) { return (saved_register_states() & mask) == mask; };
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return Level::scalar;
  const bool avx_and_fma = has(c, 28) && has(c, 12) && has(c, 27);  // AVX, FMA, OSXSAVE
  if (!avx_and_fma || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return Level::scalar;
  const bool avx2 = has(b, 5) && saved(0x6);                                                // xmm, ymm
  const bool avx512 = has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31) && saved(0xe6);  // F, DQ, BW, VL; masks, zmm
  const bool amx = has(d, 22) && has(d, 24) && saved(0x60000);                              // bfloat16, tiles
  if (!avx2) return Level::scalar;
  if (!avx512) return Level::avx2;
  if (amx && request_amx_permission()) return Level::amx;
  return has_fast_bf16_dot() ? Level::avx512_bf16 : Level::avx512;
}
#else
inline Level detect_level() { return Level::scalar; }
#endif

}  // namespace detail

/// The highest level of this machine.
inline Level detected_level() {
  static const Level level = detail::detect_level();
  return level;
}

/// The levels that this machine runs, lowest first.
inline std::vector<Level> available_levels() {
  std::vector<Level> levels;
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512, Level::avx512_bf16, Level::amx}) {
    if (level <= detected_level()) levels.push_back(level);
  }
  return levels;
}

namespace detail {

/// Throws unless kernels of this level can run here.
inline Level checked_level(Level level, const std::string& asked_by) {
  if (level > detected_level()) {
    fail("simd",
         asked_by + " asks for level " + to_string(level) + " but this machine has " + to_string(detected_level()));
  }
  return level;
}

/// COUPLET_ARCH when it is set, else the highest available level.
inline Level initial_level() {
  const char* const name = std::getenv("COUPLET_ARCH");
  if (name == nullptr || *name == '\0') return available_levels().back();
  return checked_level(parse_level(name), "COUPLET_ARCH");
}

/// The level in use. The environment is read once; a wrong COUPLET_ARCH throws at every call.
inline std::atomic<Level>& current_level() {
  static std::atomic<Level> level{initial_level()};
  return level;
}

}  // namespace detail

/// The level whose kernels are in use: the highest available one unless COUPLET_ARCH or set_level() chose another.
inline Level active_level() { return detail::current_level().load(std::memory_order_relaxed); }

/// Chooses the level of the whole process. Results are the same bits from run to run on one level only.
inline void set_level(Level level) {
  detail::current_level().store(detail::checked_level(level, "set_level"), std::memory_order_relaxed);
}

/// Chooses a level while it lives (for tests and comparisons; process-wide, so not while other threads compute).
class ScopedLevel {
 public:
  explicit ScopedLevel(Level level) : previous_(active_level()) { set_level(level); }
  ~ScopedLevel() { detail::current_level().store(previous_, std::memory_order_relaxed); }
  ScopedLevel(const ScopedLevel&) = delete;
  ScopedLevel& operator=(const ScopedLevel&) = delete;

 private:
  Level previous_;
};

}  // namespace couplet::inline COUPLET_ABI::simd
