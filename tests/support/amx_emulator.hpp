#pragma once
/// Runs AMX code on a machine without AMX: while an AmxEmulator lives, its process answers the illegal-instruction
/// signal of the tile instructions that couplet uses by doing what they do (Intel SDM volume 2). So the amx level is
/// tested everywhere where AVX512-BF16 is, at some microseconds an instruction.
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "couplet/core/bfloat16.hpp"
#include "couplet/simd/cpu.hpp"

namespace couplet::test {

class AmxEmulator {
 public:
  /// Whether amx code runs here: by itself or, with the conversions of AVX512-BF16, under an emulator.
  static bool possible() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && ((a >> 5U) & 1U) != 0;
    return bf16 && simd::detected_level() >= simd::Level::avx512;
  }

  AmxEmulator() {
    if (simd::detected_level() == simd::Level::amx) return;
    struct sigaction action = {};
    action.sa_sigaction = &AmxEmulator::on_illegal_instruction;
    action.sa_flags = SA_SIGINFO;
    installed_ = sigaction(SIGILL, &action, &previous_) == 0;
    if (!installed_) throw std::runtime_error("sigaction failed");
  }
  ~AmxEmulator() {
    if (installed_) sigaction(SIGILL, &previous_, nullptr);
  }
  AmxEmulator(const AmxEmulator&) = delete;
  AmxEmulator& operator=(const AmxEmulator&) = delete;

 private:
  struct Tile {
    alignas(64) unsigned char bytes[16][64];
  };
  struct State {
    bool configured = false;
    unsigned short row_bytes[8] = {};
    unsigned char rows[8] = {};
    Tile tiles[8] = {};
  };
  static State& state() {
    thread_local State tiles;
    return tiles;
  }

  /// A VEX-coded instruction of the map 0f38 at `code`.
  struct Instruction {
    const unsigned char* code;
    greg_t* registers;

    [[nodiscard]] bool is_vex_0f38() const { return code[0] == 0xc4 && (code[1] & 0x1f) == 2; }
    [[nodiscard]] unsigned prefix() const { return code[2] & 3U; }  // none, 66, f3, f2
    [[nodiscard]] unsigned opcode() const { return code[3]; }
    [[nodiscard]] unsigned vvvv() const { return (~unsigned{code[2]} >> 3U) & 15U; }
    [[nodiscard]] unsigned mod() const { return code[4] >> 6U; }
    [[nodiscard]] unsigned reg() const { return (code[4] >> 3U) & 7U; }
    [[nodiscard]] unsigned rm() const { return code[4] & 7U; }
    [[nodiscard]] unsigned extension(unsigned bit) const { return ((code[1] >> bit) & 1U) == 0 ? 8U : 0U; }

    [[nodiscard]] std::uint64_t value(unsigned number) const {
      static constexpr int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
      return static_cast<std::uint64_t>(registers[order[number]]);
    }

    /// The base address of the memory operand, its index register's value (a tile's stride) and the length of the
    /// instruction.
    void memory(std::uint64_t& base, std::uint64_t& stride, int& length) const {
      const unsigned char* at = code + 5;
      stride = 0;
      unsigned base_register = rm() + extension(5);
      bool no_base = mod() == 0 && rm() == 5;  // relative to the next instruction
      const bool relative = no_base;
      if (rm() == 4) {
        const unsigned char sib = *at++;
        const unsigned index = ((sib >> 3U) & 7U) + extension(6);
        if (index != 4) stride = value(index) << (sib >> 6U);
        base_register = (sib & 7U) + extension(5);
        no_base = mod() == 0 && (sib & 7U) == 5;
      }
      std::int64_t displacement = 0;
      if (mod() == 1) {
        displacement = static_cast<signed char>(*at++);
      } else if (mod() == 2 || no_base) {
        std::int32_t word = 0;
        std::memcpy(&word, at, sizeof word);
        displacement = word;
        at += 4;
      }
      length = static_cast<int>(at - code);
      base = static_cast<std::uint64_t>(displacement);
      if (relative) base += reinterpret_cast<std::uint64_t>(at);
      if (!no_base) base += value(base_register);
    }
  };

  static void configure(const unsigned char* from) {
    State& s = state();
    if (from[0] != 1) throw std::logic_error("palette");
    std::memcpy(s.row_bytes, from + 16, sizeof s.row_bytes);
    std::memcpy(s.rows, from + 48, sizeof s.rows);
    std::memset(s.tiles, 0, sizeof s.tiles);
    s.configured = true;
  }

  static float value_of(const unsigned char* pair, int element) {
    bfloat16 x;
    std::memcpy(&x.bits, pair + 2 * element, 2);
    const float value = static_cast<float>(x);
    return std::fpclassify(value) == FP_SUBNORMAL ? 0.0F : value;
  }

  /// The even and the odd products of a row are summed apart, then both are added to the old sum.
  static void multiply(Tile& sum, const Tile& a, const Tile& b, int rows, int columns, int pairs) {
    for (int m = 0; m < rows; ++m) {
      for (int n = 0; n < columns; ++n) {
        float even = 0, odd = 0;
        for (int k = 0; k < pairs; ++k) {
          even = std::fma(value_of(&a.bytes[m][4 * k], 0), value_of(&b.bytes[k][4 * n], 0), even);
          odd = std::fma(value_of(&a.bytes[m][4 * k], 1), value_of(&b.bytes[k][4 * n], 1), odd);
        }
        float old = 0;
        std::memcpy(&old, &sum.bytes[m][4 * n], 4);
        old += even + odd;
        std::memcpy(&sum.bytes[m][4 * n], &old, 4);
      }
    }
  }

  /// Does what the instruction does; its length, 0 if it is no known one.
  static int execute(const Instruction& i) {
    State& s = state();
    if (!i.is_vex_0f38()) return 0;
    std::uint64_t base = 0, stride = 0;
    int length = 5;
    if (i.opcode() == 0x49 && i.mod() != 3 && i.prefix() == 0 && i.reg() == 0) {
      i.memory(base, stride, length);
      configure(reinterpret_cast<const unsigned char*>(base));
      return length;
    }
    if (i.opcode() == 0x49 && i.mod() == 3 && i.prefix() == 0) {
      s.configured = false;
      return length;
    }
    if (!s.configured) return 0;
    if (i.opcode() == 0x49 && i.mod() == 3 && i.prefix() == 3) {
      s.tiles[i.reg()] = Tile{};
      return length;
    }
    if (i.opcode() == 0x4b && i.mod() != 3 && i.prefix() >= 2) {
      i.memory(base, stride, length);
      for (unsigned r = 0; r < s.rows[i.reg()]; ++r) {
        auto* const row = reinterpret_cast<unsigned char*>(base + r * stride);
        unsigned char* const tile = s.tiles[i.reg()].bytes[r];
        const bool load = i.prefix() == 3;
        std::memcpy(load ? tile : row, load ? row : tile, s.row_bytes[i.reg()]);
      }
      return length;
    }
    if (i.opcode() == 0x5c && i.mod() == 3 && i.prefix() == 2) {
      multiply(s.tiles[i.reg()], s.tiles[i.rm()], s.tiles[i.vvvv()], s.rows[i.reg()], s.row_bytes[i.reg()] / 4,
               s.row_bytes[i.rm()] / 4);
      return length;
    }
    return 0;
  }

  static void on_illegal_instruction(int, siginfo_t*, void* context) {
    greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const int length = execute({reinterpret_cast<const unsigned char*>(registers[REG_RIP]), registers});
    if (length == 0) {
      signal(SIGILL, SIG_DFL);  // the instruction is met again, and ends the program
      return;
    }
    registers[REG_RIP] += length;
  }

  bool installed_ = false;
  struct sigaction previous_ = {};
};

}  // namespace couplet::test
#endif
