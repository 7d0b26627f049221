#include "couplet/simd/attention.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/levels.hpp"
#include "support/random_tensor.hpp"

// tests/ops/attention_test.cpp compares the kernels with the double reference.
namespace couplet {
namespace {

using test::random_matrix;

simd::ConstRows rows_of(const Tensor<float, 2>& x) { return {x.data(), x.extent(1)}; }
simd::Rows rows_of(Tensor<float, 2>& x) { return {x.data(), x.extent(1)}; }

/// One head, with scratch memory of exactly the announced size behind which a guard stands.
struct Head {
  Head(Index queries, Index keys, Index width, bool causal)
      : q(random_matrix<float>(queries, width, 1)),
        k(random_matrix<float>(keys, width, 2)),
        v(random_matrix<float>(keys, width, 3)),
        dout(random_matrix<float>(queries, width, 4)),
        out({queries, width}),
        lse({queries, 1}),
        dq({queries, width}),
        dk({keys, width}),
        dv({keys, width}),
        head{queries,
             keys,
             width,
             causal,
             0.25F,
             rows_of(std::as_const(q)),
             rows_of(std::as_const(k)),
             rows_of(std::as_const(v))} {}

  /// Fills scratch memory with `rubbish` first.
  void run(float rubbish) {
    const auto& kernels = simd::attention_kernels();
    const Index forward_size = kernels.forward_scratch(head.keys, head.width);
    const Index backward_size = kernels.backward_scratch(head.keys, head.width);
    Tensor<float, 1> scratch({std::max(forward_size, backward_size) + 16});
    scratch.fill(rubbish);
    kernels.forward(head, rows_of(out), rows_of(lse), scratch.data());
    for (Index i = forward_size; i < forward_size + 16; ++i) ASSERT_EQ(scratch[i], rubbish);
    scratch.fill(rubbish);
    kernels.backward(head,
                     {rows_of(std::as_const(dout)), rows_of(std::as_const(out)), rows_of(std::as_const(lse)),
                      rows_of(dq), rows_of(dk), rows_of(dv)},
                     scratch.data());
    for (Index i = backward_size; i < backward_size + 16; ++i) ASSERT_EQ(scratch[i], rubbish);
  }

  Tensor<float, 2> q, k, v, dout, out, lse, dq, dk, dv;
  simd::AttentionHead head;
};

TEST(AttentionKernel, StaysInsideItsScratchMemoryAndIgnoresWhatItHeld) {
  test::for_each_level([](simd::Level) {
    for (const Index width : {1, 10, 16, 64}) {
      for (const Index keys : {1, 14, 33, 512, 530}) {
        for (const bool causal : {false, true}) {
          const Index queries = causal ? keys : 31;
          Head a(queries, keys, width, causal);
          Head b(queries, keys, width, causal);
          a.run(1e30F);
          b.run(-3.5F);
          ASSERT_TRUE(test::same_bits(a.out, b.out));
          ASSERT_TRUE(test::same_bits(a.lse, b.lse));
          ASSERT_TRUE(test::same_bits(a.dq, b.dq));
          ASSERT_TRUE(test::same_bits(a.dk, b.dk));
          ASSERT_TRUE(test::same_bits(a.dv, b.dv));
        }
      }
    }
  });
}

TEST(AttentionKernel, GivesKeysNothingWithoutQueries) {
  test::for_each_level([](simd::Level) {
    Head a(0, 5, 8, false);
    a.dk.fill(7.0F);
    a.dv.fill(7.0F);
    a.run(1.0F);
    EXPECT_EQ(test::largest_magnitude(a.dk), 0.0);
    EXPECT_EQ(test::largest_magnitude(a.dv), 0.0);
  });
}

}  // namespace
}  // namespace couplet
