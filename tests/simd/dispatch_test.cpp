// The vector wrapper of every level, lane by lane against the standard library. Nothing here may depend on -O0,
// -march=native, -ffp-contract or -ffast-math: those builds run the same file.
#include "simd/vector_probe.hpp"  // first: it brings couplet/simd/dispatch.hpp with the kernel bodies

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "support/levels.hpp"

namespace couplet {
namespace {

using simd::Binary;
using simd::Unary;
using simd::VectorProbe;

constexpr std::size_t max_width = 16;
using Lanes = std::array<float, max_width>;

/// Bits compare where values may be -0; the compiler may assume things about floats under -ffast-math.
std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

/// Sixteen values of either sign, of very different size, none of them special.
Lanes samples(int seed) {
  Lanes lanes{};
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const auto k = static_cast<double>(i) + 16.0 * seed;
    lanes[i] = static_cast<float>(std::sin(k * 12.9898) * std::exp2(std::fmod(k * 7, 23) - 11));
  }
  return lanes;
}

template <class Expected>
void expect_unary(const VectorProbe& probe, Unary operation, const Lanes& x, Expected&& expected) {
  Lanes y{};
  probe.unary(operation, x.data(), y.data());
  for (std::size_t i = 0; i < static_cast<std::size_t>(probe.width); ++i) {
    EXPECT_EQ(bits(y[i]), bits(expected(x[i]))) << "operation " << static_cast<int>(operation) << " of " << x[i];
  }
}

template <class Expected>
void expect_binary(const VectorProbe& probe, Binary operation, const Lanes& a, const Lanes& b, Expected&& expected) {
  Lanes y{};
  probe.binary(operation, a.data(), b.data(), y.data());
  for (std::size_t i = 0; i < static_cast<std::size_t>(probe.width); ++i) {
    EXPECT_EQ(bits(y[i]), bits(expected(a[i], b[i])))
        << "operation " << static_cast<int>(operation) << " of " << a[i] << " and " << b[i];
  }
}

/// The correctly rounded float of an exact (or nearly so) double: products and sums of two floats.
float rounded(double x) {
  volatile float y = static_cast<float>(x);
  return y;
}

TEST(VectorWrapper, ArithmeticIsRoundedOnceEach) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    for (int seed = 0; seed < 50; ++seed) {
      const Lanes a = samples(seed);
      const Lanes b = samples(seed + 1000);
      const auto d = [](float x) { return static_cast<double>(x); };
      expect_binary(probe, Binary::add, a, b, [&](float x, float y) { return rounded(d(x) + d(y)); });
      expect_binary(probe, Binary::sub, a, b, [&](float x, float y) { return rounded(d(x) - d(y)); });
      expect_binary(probe, Binary::mul, a, b, [&](float x, float y) { return rounded(d(x) * d(y)); });
      expect_binary(probe, Binary::div, a, b, [&](float x, float y) { return rounded(d(x) / d(y)); });
      expect_binary(probe, Binary::multiply_then_add, a, b,
                    [&](float x, float y) { return rounded(d(rounded(d(x) * d(y))) + d(x)); });
      expect_binary(probe, Binary::add_then_subtract, a, b,
                    [&](float x, float y) { return rounded(d(rounded(d(x) + d(y))) - d(x)); });
      Lanes squares = a;
      for (float& x : squares) x = x < 0 ? -x : x;
      expect_unary(probe, Unary::sqrt, squares, [&](float x) { return rounded(std::sqrt(d(x))); });
    }
  });
}

TEST(VectorWrapper, FmaRoundsOnceExceptOnScalar) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    for (int seed = 0; seed < 50; ++seed) {
      const Lanes a = samples(seed);
      const Lanes b = samples(seed + 2000);
      const Lanes c = samples(seed + 4000);
      for (const bool negate : {false, true}) {
        Lanes y{};
        probe.ternary(negate, a.data(), b.data(), c.data(), y.data());
        for (std::size_t i = 0; i < static_cast<std::size_t>(probe.width); ++i) {
          const double product = (negate ? -1.0 : 1.0) * static_cast<double>(a[i]) * static_cast<double>(b[i]);
          const double addend = static_cast<double>(c[i]);
          const float expected = level == simd::Level::scalar ? rounded(static_cast<double>(rounded(product)) + addend)
                                                              : std::fma(negate ? -a[i] : a[i], b[i], c[i]);
          EXPECT_EQ(bits(y[i]), bits(expected));
        }
      }
    }
  });
}

TEST(VectorWrapper, SignsAndChoices) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    Lanes a = samples(1);
    Lanes b = samples(2);
    a[0] = std::bit_cast<float>(0x80000000U);  // -0
    b[1] = std::bit_cast<float>(0x80000000U);
    b[2] = a[2];
    const auto with_sign = [](float x, std::uint32_t sign) {
      return std::bit_cast<float>((bits(x) & 0x7fffffffU) | (sign & 0x80000000U));
    };
    expect_unary(probe, Unary::abs, a, [&](float x) { return with_sign(x, 0); });
    expect_unary(probe, Unary::neg, a, [&](float x) { return with_sign(x, ~bits(x)); });
    expect_unary(probe, Unary::identity, a, [&](float x) { return x; });
    expect_binary(probe, Binary::copysign, a, b, [&](float x, float y) { return with_sign(x, bits(y)); });
    expect_binary(probe, Binary::select_less, a, b, [](float x, float y) { return x < y ? 1.0F : -1.0F; });
    expect_binary(probe, Binary::min, a, b, [](float x, float y) { return x < y ? x : y; });
    expect_binary(probe, Binary::max, a, b, [](float x, float y) { return x > y ? x : y; });
  });
}

TEST(VectorWrapper, MinAndMaxReturnTheSecondWhenOneIsNotANumber) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    constexpr std::uint32_t not_a_number = 0x7fc00000U;
    Lanes nan{};
    Lanes one{};
    nan.fill(std::bit_cast<float>(not_a_number));
    one.fill(1.0F);
    for (const Binary operation : {Binary::min, Binary::max}) {
      Lanes y{};
      probe.binary(operation, one.data(), nan.data(), y.data());
      EXPECT_EQ(bits(y[0]), not_a_number);
      probe.binary(operation, nan.data(), one.data(), y.data());
      EXPECT_EQ(bits(y[0]), bits(1.0F));
    }
  });
}

TEST(VectorWrapper, RoundsToEvenAndScalesByPowersOfTwo) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    const Lanes halves{-2.5F, -1.5F, -0.75F, 0.5F, 1.5F, 2.5F, 3.49F, 1e6F + 0.5F, 0.25F, 126.5F, -7, 8, 9, 10, 11, 12};
    Lanes y{};
    probe.unary(Unary::round, halves.data(), y.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(probe.width); ++i) {
      EXPECT_EQ(y[i], static_cast<float>(std::nearbyint(static_cast<double>(halves[i]))));
    }
    const Lanes x = samples(3);
    const Lanes n{-126, 0, 126, 1, -1, 7, 8, 9, -9, 20, 21, 22, 23, 24, 25, -25};
    expect_binary(probe, Binary::scale_2n, x, n,
                  [](float value, float e) { return std::ldexp(value, static_cast<int>(e)); });
    Lanes positive = x;
    for (float& value : positive) value = value < 0 ? -value : value;
    expect_unary(probe, Unary::exponent_of, positive,
                 [](float value) { return static_cast<float>(std::ilogb(static_cast<double>(value))); });
    expect_unary(probe, Unary::mantissa_of, positive, [](float value) {
      return static_cast<float>(std::ldexp(static_cast<double>(value), -std::ilogb(static_cast<double>(value))));
    });
  });
}

TEST(VectorWrapper, PartialLoadsAndStoresTouchTheFirstLanesOnly) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    const auto width = static_cast<std::size_t>(probe.width);
    for (std::size_t n = 0; n <= width; ++n) {
      std::vector<float> source(n);  // the sanitizer sees reads beyond n
      for (std::size_t i = 0; i < n; ++i) source[i] = static_cast<float>(i) + 0.5F;
      Lanes all{};
      Lanes some{};
      some.fill(-1.0F);
      probe.copy_n(source.data(), static_cast<Index>(n), 7.0F, all.data(), some.data());
      for (std::size_t i = 0; i < width; ++i) {
        EXPECT_EQ(all[i], i < n ? source[i] : 7.0F);
        EXPECT_EQ(some[i], i < n ? source[i] : -1.0F);
      }
    }
  });
}

TEST(VectorWrapper, HorizontalSumsAddHalves) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    for (int seed = 0; seed < 100; ++seed) {
      Lanes x = samples(seed);
      EXPECT_EQ(bits(probe.first(x.data())), bits(x[0]));
      const auto width = static_cast<std::size_t>(probe.width);
      float largest = x[0];
      for (std::size_t i = 1; i < width; ++i) largest = x[i] > largest ? x[i] : largest;
      EXPECT_EQ(probe.max_of(x.data()), largest);
      const float sum = probe.sum(x.data());
      for (std::size_t half = width / 2; half > 0; half /= 2) {
        for (std::size_t i = 0; i < half; ++i) {
          x[i] = rounded(static_cast<double>(x[i]) + static_cast<double>(x[i + half]));
        }
      }
      EXPECT_EQ(bits(sum), bits(x[0]));
    }
  });
}

TEST(VectorWrapper, TransposesSquares) {
  test::for_each_level([](simd::Level level) {
    const VectorProbe& probe = simd::vector_probe(level);
    const int width = probe.width;
    std::vector<float> rows(static_cast<std::size_t>(width * width));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
    probe.transpose(rows.data());
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j < width; ++j) {
        EXPECT_EQ(rows[static_cast<std::size_t>(i * width + j)], static_cast<float>(j * width + i));
      }
    }
  });
}

}  // namespace
}  // namespace couplet
