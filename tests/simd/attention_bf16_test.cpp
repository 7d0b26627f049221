#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "couplet/simd/attention.hpp"
#include "support/bf16_levels.hpp"
#include "support/expect_near.hpp"
#include "support/guarded_matrix.hpp"
#include "support/random_tensor.hpp"

// Attention with products of bfloat16: every element is within the bound that rounding the factors gives.
namespace couplet {
namespace {

using simd::AttentionKernels;
using simd::Level;
using test::GuardedMatrix;

/// f(kernels) for the levels that have such kernels.
template <class F>
void for_each_attention_kernel(F&& f) {
  test::for_each_bf16_level([&](simd::Level level) { f(simd::attention_kernels(level, Precision::bfloat16)); });
}

struct Shape {
  Index queries, keys, width;
  bool causal;
};

/// Inputs and results of one head, as matrices with guards around them.
struct Bf16Head {
  explicit Bf16Head(const Shape& shape, double deviation = 1)
      : queries(shape.queries),
        keys(shape.keys),
        width(shape.width),
        causal(shape.causal),
        q(matrix(queries, 1, deviation)),
        k(matrix(keys, 2, deviation)),
        v(matrix(keys, 3)),
        dout(matrix(queries, 4)),
        out(queries, width),
        lse(queries, 1),
        dq(queries, width),
        dk(keys, width),
        dv(keys, width) {}

  void forward(const AttentionKernels& kernels, float rubbish = 0) {
    AlignedBuffer<float> scratch = scratch_of(kernels.forward_scratch(keys, width), rubbish);
    kernels.forward(head(), rows_of(out), rows_of(lse), scratch.data());
    expect_guard(scratch, rubbish);
  }
  void run(const AttentionKernels& kernels, float rubbish = 0) {
    forward(kernels, rubbish);
    AlignedBuffer<float> scratch = scratch_of(kernels.backward_scratch(keys, width), rubbish);
    kernels.backward(
        head(), {const_rows_of(dout), const_rows_of(out), const_rows_of(lse), rows_of(dq), rows_of(dk), rows_of(dv)},
        scratch.data());
    expect_guard(scratch, rubbish);
    EXPECT_TRUE(out.intact() && lse.intact() && dq.intact() && dk.intact() && dv.intact());
  }
  [[nodiscard]] simd::AttentionHead head() const {
    return {queries, keys, width, causal, scale(), const_rows_of(q), const_rows_of(k), const_rows_of(v)};
  }
  [[nodiscard]] float scale() const { return 1 / std::sqrt(static_cast<float>(width)); }
  [[nodiscard]] Index visible(Index t) const { return causal ? t + 1 : keys; }

  Index queries, keys, width;
  bool causal;
  GuardedMatrix<float> q, k, v, dout, out, lse, dq, dk, dv;

 private:
  static simd::Rows rows_of(GuardedMatrix<float>& x) { return {x.view().data(), x.view().stride(0)}; }
  static simd::ConstRows const_rows_of(const GuardedMatrix<float>& x) { return {x.view().data(), x.view().stride(0)}; }
  [[nodiscard]] GuardedMatrix<float> matrix(Index rows, std::uint64_t seed, double deviation = 1) const {
    return {rows, width, test::random_matrix<float>(rows, width, seed, deviation)};
  }
  static AlignedBuffer<float> scratch_of(Index size, float rubbish) {
    AlignedBuffer<float> scratch(size + 16);
    std::fill_n(scratch.data(), scratch.size(), rubbish);
    return scratch;
  }
  static void expect_guard(const AlignedBuffer<float>& scratch, float rubbish) {
    for (Index i = scratch.size() - 16; i < scratch.size(); ++i) {
      ASSERT_EQ(std::memcmp(scratch.data() + i, &rubbish, sizeof rubbish), 0);
    }
  }
};

double to_bf16(float x) { return static_cast<double>(static_cast<float>(bfloat16(x))); }

/// A sum of products and how far rounding one factor of each to bfloat16 can move it: its 8 significant bits are within
/// 2^-8 of a number. A fiftieth more is for what float32 does on the way.
struct Bounded {
  double value = 0;
  double magnitude = 0;
  void add(double a, double b) {
    value += a * b;
    magnitude += std::abs(a * b);
  }
  [[nodiscard]] testing::AssertionResult holds(float actual, double factor = 1) const {
    const double error = std::abs(static_cast<double>(actual) - factor * value);
    const double bound = 1.02 * 0x1p-8 * factor * magnitude + 1e-6;
    if (error <= bound) return testing::AssertionSuccess();
    return testing::AssertionFailure() << actual << " is " << error << " from " << factor * value << ", bound "
                                       << bound;
  }
};

/// Both passes from the rounded q, k, v and dout, in double. What remains between them and the kernel is the rounding
/// of p and ds. lse and out are the kernel's in the backward pass.
void expect_rounding_alone(const Bf16Head& a) {
  const auto q = a.q.view(), k = a.k.view(), v = a.v.view(), dout = a.dout.view();
  const Index width = a.width;
  std::vector<Bounded> dk(static_cast<std::size_t>(a.keys * width)), dv(dk.size());
  const auto dot = [width](auto x, auto y) {
    double sum = 0;
    for (Index c = 0; c < width; ++c) sum += to_bf16(x[c]) * to_bf16(y[c]);
    return sum;
  };
  for (Index t = 0; t < a.queries; ++t) {
    double total = 0, out_dout = 0;
    std::vector<double> s(static_cast<std::size_t>(a.visible(t)));
    for (Index u = 0; u < a.visible(t); ++u) {
      s[static_cast<std::size_t>(u)] = static_cast<double>(a.scale()) * dot(q[t].data(), k[u].data());
      total += std::exp(s[static_cast<std::size_t>(u)]);
    }
    const double lse = std::log(total);
    ASSERT_NEAR(a.lse.view()(t, 0), lse, 1e-6 * (1 + std::abs(lse)));
    for (Index c = 0; c < width; ++c) {
      out_dout += static_cast<double>(a.out.view()(t, c)) * static_cast<double>(dout(t, c));
    }
    std::vector<Bounded> out(static_cast<std::size_t>(width)), dq(out.size());
    for (Index u = 0; u < a.visible(t); ++u) {
      const double p = std::exp(s[static_cast<std::size_t>(u)] - lse);
      const double ds = p * (dot(dout[t].data(), v[u].data()) - out_dout);
      for (Index c = 0; c < width; ++c) {
        const auto at = static_cast<std::size_t>(c), of_key = static_cast<std::size_t>(u * width + c);
        out[at].add(p, to_bf16(v(u, c)));
        dq[at].add(ds, to_bf16(k(u, c)));
        dk[of_key].add(ds, to_bf16(q(t, c)));
        dv[of_key].add(p, to_bf16(dout(t, c)));
      }
    }
    for (Index c = 0; c < width; ++c) {
      const auto at = static_cast<std::size_t>(c);
      ASSERT_TRUE(out[at].holds(a.out.view()(t, c))) << "out " << t << ", " << c;
      ASSERT_TRUE(dq[at].holds(a.dq.view()(t, c), static_cast<double>(a.scale()))) << "dq " << t << ", " << c;
    }
  }
  for (Index u = 0; u < a.keys; ++u) {
    for (Index c = 0; c < width; ++c) {
      const auto at = static_cast<std::size_t>(u * width + c);
      ASSERT_TRUE(dk[at].holds(a.dk.view()(u, c), static_cast<double>(a.scale()))) << "dk " << u << ", " << c;
      ASSERT_TRUE(dv[at].holds(a.dv.view()(u, c))) << "dv " << u << ", " << c;
    }
  }
}

TEST(Bf16Attention, DiffersFromDoubleByTheRoundingOfItsFactorsAlone) {
  for_each_attention_kernel([](const AttentionKernels& kernels) {
    for (const Shape& shape : {Shape{50, 50, 64, false},
                               {77, 77, 64, true},
                               {197, 197, 64, false},
                               {1, 50, 64, false},
                               {33, 33, 16, true},
                               {16, 17, 72, false},
                               {18, 40, 80, false},
                               {31, 31, 96, true},
                               {13, 47, 128, false},
                               {5, 5, 7, true},
                               {2, 3, 1, false},
                               {64, 64, 33, true}}) {
      SCOPED_TRACE(std::to_string(shape.queries) + " queries, " + std::to_string(shape.keys) + " keys, width " +
                   std::to_string(shape.width) + (shape.causal ? ", causal" : ""));
      Bf16Head a(shape);
      a.run(kernels);
      expect_rounding_alone(a);
    }
  });
}

TEST(Bf16Attention, IsAccurateForEveryLength) {
  for_each_attention_kernel([](const AttentionKernels& kernels) {
    for (Index length = 1; length <= 67; ++length) {
      SCOPED_TRACE("length " + std::to_string(length));
      Bf16Head a({length, length, 20, length % 2 == 0});
      a.run(kernels);
      expect_rounding_alone(a);
    }
  });
}

TEST(Bf16Attention, IsAccurateForSeveralBlocksOfKeysAndLargeScores) {
  for_each_attention_kernel([](const AttentionKernels& kernels) {
    for (const Shape& shape : {Shape{40, 577, 16, false}, {530, 530, 8, true}}) {
      Bf16Head a(shape, 2);
      a.run(kernels);
      expect_rounding_alone(a);
    }
  });
}

/// Standard normal inputs: what rounding all factors does to the results, against float32 on the unrounded ones.
TEST(Bf16Attention, IsWithinOnePercentOfFloat32) {
  for_each_attention_kernel([](const AttentionKernels& kernels) {
    Bf16Head a({77, 77, 64, true}), exact({77, 77, 64, true});
    a.run(kernels);
    exact.run(simd::attention_kernels(Level::scalar));
    const auto relative = [](const GuardedMatrix<float>& x, const GuardedMatrix<float>& y) {
      return test::relative_error(x.values(), y.values());
    };
    EXPECT_LT(relative(a.out, exact.out), 1e-2);
    EXPECT_LT(relative(a.dq, exact.dq), 1e-2);
    EXPECT_LT(relative(a.dk, exact.dk), 1e-2);
    EXPECT_LT(relative(a.dv, exact.dv), 1e-2);
    EXPECT_GT(relative(a.out, exact.out), 1e-5) << "these are products of float32";
  });
}

TEST(Bf16Attention, IgnoresWhatItsScratchMemoryHeld) {
  for_each_attention_kernel([](const AttentionKernels& kernels) {
    for (const Shape& shape : {Shape{1, 1, 1, false}, {31, 33, 10, false}, {77, 77, 64, true}, {20, 530, 40, false}}) {
      Bf16Head a(shape), b(shape);
      a.run(kernels, std::nanf(""));
      b.run(kernels, -3.5F);
      ASSERT_TRUE(test::same_bits(a.out.values(), b.out.values()));
      ASSERT_TRUE(test::same_bits(a.lse.values(), b.lse.values()));
      ASSERT_TRUE(test::same_bits(a.dq.values(), b.dq.values()));
      ASSERT_TRUE(test::same_bits(a.dk.values(), b.dk.values()));
      ASSERT_TRUE(test::same_bits(a.dv.values(), b.dv.values()));
    }
  });
}

TEST(Bf16Attention, GivesAQueryTheSameBitsWhateverIsBesideIt) {
  for_each_attention_kernel([](const AttentionKernels& kernels) {
    for (const bool causal : {false, true}) {
      for (const Index length : {5, 77, 530}) {
        Bf16Head whole({length, length, 24, causal}), last({1, length, 24, false});
        last.q = GuardedMatrix<float>(1, 24, whole.q.values().view().slice(length - 1, length));
        whole.forward(kernels);
        last.forward(kernels);
        for (Index c = 0; c < 24; ++c) ASSERT_EQ(last.out.view()(0, c), whole.out.view()(length - 1, c));
        ASSERT_EQ(last.lse.view()(0, 0), whole.lse.view()(length - 1, 0));
      }
    }
  });
}

TEST(Bf16Attention, LevelsWithoutItComputeInFloat32) {
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512}) {
    EXPECT_EQ(&simd::attention_kernels(level, Precision::bfloat16), &simd::attention_kernels(level));
  }
}

}  // namespace
}  // namespace couplet
