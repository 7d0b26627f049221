// The main() of every test program: GoogleTest, plus a word about the instruction-set level.
//
// COUPLET_ARCH=scalar|avx2|... forces a level. On a machine without it the program says so and exits with 77, which
// CTest reports as skipped.
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
