#include "couplet/simd/cpu.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace couplet {
namespace {

using simd::Level;

TEST(Cpu, NamesAreReadBack) {
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512, Level::avx512_bf16, Level::amx}) {
    EXPECT_EQ(simd::parse_level(simd::to_string(level)), level);
  }
  EXPECT_THROW(simd::parse_level("AVX512"), std::invalid_argument);
  EXPECT_THROW(simd::parse_level(""), std::invalid_argument);
}

TEST(Cpu, AvailableLevelsStartAtScalarAndRise) {
  const auto levels = simd::available_levels();
  ASSERT_FALSE(levels.empty());
  EXPECT_EQ(levels.front(), Level::scalar);
  for (std::size_t i = 1; i < levels.size(); ++i) EXPECT_LT(levels[i - 1], levels[i]);
  EXPECT_LE(levels.back(), simd::detected_level());
}

TEST(Cpu, TheBestLevelIsActiveUnlessTheEnvironmentNamesOne) {
  const char* const name = std::getenv("COUPLET_ARCH");
  EXPECT_EQ(simd::active_level(), name != nullptr ? simd::parse_level(name) : simd::available_levels().back());
}

TEST(Cpu, AScopedLevelEndsWithItsScope) {
  const Level before = simd::active_level();
  for (const Level level : simd::available_levels()) {
    {
      const simd::ScopedLevel scoped(level);
      EXPECT_EQ(simd::active_level(), level);
    }
    EXPECT_EQ(simd::active_level(), before);
  }
}

TEST(Cpu, ALevelThatTheMachineLacksIsNamedInTheError) {
  if (simd::detected_level() == Level::amx) GTEST_SKIP() << "this machine has every level";
  const Level before = simd::active_level();
  try {
    simd::set_level(Level::amx);
    FAIL() << "this machine has no amx";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("amx"), std::string::npos) << text;
    EXPECT_NE(text.find(to_string(simd::detected_level())), std::string::npos) << text;
  }
  EXPECT_EQ(simd::active_level(), before);
}

}  // namespace
}  // namespace couplet
