// The main() of every test program: GoogleTest, after a look at the instruction-set level.
//
// COUPLET_ARCH=scalar|avx2|... forces a level. On a machine without it the program says so and exits with 77, which
// CTest reports as skipped; a level that does not exist is a failure.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "couplet/simd/cpu.hpp"

namespace {

constexpr int skipped = 77;

bool machine_lacks_forced_level() {
  const char* const name = std::getenv("COUPLET_ARCH");
  if (name == nullptr || *name == '\0') return false;
  return couplet::simd::parse_level(name) > couplet::simd::detected_level();
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  try {
    if (machine_lacks_forced_level()) {
      std::cout << "skipped: this machine has no level " << std::getenv("COUPLET_ARCH") << '\n';
      return skipped;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return RUN_ALL_TESTS();
}
