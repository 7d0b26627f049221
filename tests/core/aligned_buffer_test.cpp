#include "couplet/core/aligned_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

namespace {

using couplet::AlignedBuffer;

TEST(AlignedBuffer, IsAlignedAndZero) {
  for (const couplet::Index size : {1, 3, 17, 1000, 1 << 20}) {
    const AlignedBuffer<float> buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0U);
    for (couplet::Index i = 0; i < size; ++i) EXPECT_EQ(buffer.data()[i], 0.0F);
  }
}

TEST(AlignedBuffer, LargeOnesBeginOnAHugePage) {
  AlignedBuffer<float> buffer((1 << 20) + 5);  // 4 MiB and a little
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % (2 << 20), 0U);
  EXPECT_EQ(buffer.data()[buffer.size() - 1], 0.0F);
  buffer.data()[buffer.size() - 1] = 3.0F;
  const AlignedBuffer<float> copied = buffer;
  buffer.release();
  EXPECT_EQ(copied.data()[copied.size() - 1], 3.0F);
}

TEST(AlignedBuffer, ShrinkingKeepsTheMemory) {
  AlignedBuffer<int> buffer(100);
  const int* before = buffer.data();
  buffer.resize(10);
  buffer.resize(100);
  EXPECT_EQ(buffer.data(), before);
}

TEST(AlignedBuffer, ClearingMakesItZeroInPlace) {
  for (const couplet::Index size : {5, 1000000, (1 << 20) + 77777, 1 << 20}) {
    AlignedBuffer<float> buffer(size);
    const float* before = buffer.data();
    for (const float value : {3.0F, 4.0F}) {
      std::fill_n(buffer.data(), size, value);
      buffer.clear();
      EXPECT_EQ(std::count(buffer.data(), buffer.data() + size, 0.0F), size);
    }
    EXPECT_EQ(buffer.data(), before);
  }
}

#if defined(__linux__)
TEST(AlignedBuffer, LargeMemoryTakesRoomWhileItIsWritten) {
  constexpr couplet::Index size = 64 << 20;
  const auto resident = [] {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0, pages = 0;
    statm >> total >> pages;
    return static_cast<couplet::Index>(pages) * 4096;
  };
  const couplet::Index before = resident();
  AlignedBuffer<char> buffer(size);
  EXPECT_LT(resident() - before, size / 2);
  std::fill_n(buffer.data(), size, 'x');
  EXPECT_GT(resident() - before, size / 2);
  buffer.clear();
  EXPECT_LT(resident() - before, size / 2);
}
#endif

TEST(AlignedBuffer, CopiesAreIndependentAndMovesLeaveNothing) {
  AlignedBuffer<int> a(3);
  a.data()[1] = 7;
  AlignedBuffer<int> b = a;
  b.data()[1] = 8;
  EXPECT_EQ(a.data()[1], 7);
  const AlignedBuffer<int> c = std::move(b);
  EXPECT_EQ(c.data()[1], 8);
  EXPECT_EQ(b.size(), 0);  // NOLINT: a moved-from buffer is empty
}

TEST(AlignedBuffer, RefusesSizesThatOverflow) {
  AlignedBuffer<double> buffer;
  EXPECT_THROW(buffer.resize(couplet::Index{1} << 61), std::invalid_argument);
}

}  // namespace
