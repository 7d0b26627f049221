#include "couplet/ops/attention.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/guarded_matrix.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using test::converted;
using test::GuardedMatrix;
using test::near_relative_to_max;
using test::random_matrix;
using test::same_bits;

/// Sequences that own their offsets.
class Lengths {
 public:
  Lengths(std::initializer_list<Index> lengths) : Lengths(std::vector<Index>(lengths)) {}
  explicit Lengths(const std::vector<Index>& lengths) : offsets_{0} {
    for (const Index length : lengths) offsets_.push_back(offsets_.back() + length);
  }
  [[nodiscard]] Sequences sequences() const { return Sequences(offsets_, key_ends_); }
  [[nodiscard]] Index rows() const { return offsets_.back(); }
  /// Sequence i with its last unseen[i] rows not seen.
  [[nodiscard]] Lengths hiding(const std::vector<Index>& unseen) const {
    Lengths lengths = *this;
    for (std::size_t i = 0; i < unseen.size(); ++i) lengths.key_ends_.push_back(offsets_[i + 1] - unseen[i]);
    return lengths;
  }

 private:
  std::vector<Index> offsets_, key_ends_;
};

/// Inputs, outputs and gradients of one call; q, k and v are slices of wider matrices.
template <class T>
struct Attention {
  Attention(const Lengths& q_lengths, const Lengths& k_lengths, Index head_count, Index head_width, bool causal_mask,
            Precision of_products = Precision::float32)
      : queries(q_lengths),
        keys(k_lengths),
        heads(head_count),
        width(head_count * head_width),
        causal(causal_mask),
        precision(of_products),
        q(random_matrix<T>(queries.rows(), width + 5, 1)),
        kv(random_matrix<T>(keys.rows(), 2 * width + 3, 2)),
        dout(random_matrix<T>(queries.rows(), width, 3)),
        out(queries.rows(), width),
        lse({queries.rows(), heads}),
        dq(queries.rows(), width),
        dk(keys.rows(), width),
        dv(keys.rows(), width) {}

  [[nodiscard]] TensorView<const T, 2> q_view() const { return q.view().columns(5, 5 + width); }
  [[nodiscard]] TensorView<const T, 2> k_view() const { return kv.view().columns(0, width); }
  [[nodiscard]] TensorView<const T, 2> v_view() const { return kv.view().columns(width + 3, 2 * width + 3); }

  void forward() {
    ops::attention_forward<T>(q_view(), k_view(), v_view(), queries.sequences(), keys.sequences(),
                              {heads, causal, precision}, ops::Operand<T>(out.view()), lse, workspace);
  }
  void backward() {
    ops::attention_backward<T>(dout, q_view(), k_view(), v_view(), out.view(), lse, queries.sequences(),
                               keys.sequences(), {heads, causal, precision}, dq.view(), dk.view(), dv.view(),
                               workspace);
  }
  void run() {
    forward();
    backward();
  }

  Lengths queries;
  Lengths keys;
  Index heads;
  Index width;
  bool causal;
  Precision precision;
  Tensor<T, 2> q;
  Tensor<T, 2> kv;
  Tensor<T, 2> dout;
  GuardedMatrix<T> out;
  Tensor<T, 2> lse;
  GuardedMatrix<T> dq;
  GuardedMatrix<T> dk;
  GuardedMatrix<T> dv;
  Workspace workspace;
};

void expect_true_gradients(const Lengths& queries, const Lengths& keys, Index heads, Index head_width, bool causal) {
  Attention<double> a(queries, keys, heads, head_width, causal);
  a.run();
  const auto loss = [&] {
    a.forward();
    return test::inner_product(test::elements(a.dout), test::elements(a.out.values()));
  };
  // Gradients laid out as the matrices that q, k and v are slices of.
  Tensor<double, 2> dq(a.q.extents());
  Tensor<double, 2> dkv(a.kv.extents());
  copy(a.dq.view(), dq.view().columns(5, 5 + a.width));
  copy(a.dk.view(), dkv.view().columns(0, a.width));
  copy(a.dv.view(), dkv.view().columns(a.width + 3, 2 * a.width + 3));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(a.q), test::elements(dq), 1e-9, 300));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(a.kv), test::elements(dkv), 1e-9, 600));
}

TEST(Attention, HasTrueGradients) { expect_true_gradients({5, 3}, {5, 3}, 2, 8, false); }
TEST(Attention, HasTrueGradientsWhenCausal) { expect_true_gradients({6, 1, 4}, {6, 1, 4}, 3, 5, true); }
TEST(Attention, HasTrueGradientsFromOneQueryPerSequence) { expect_true_gradients({1, 1, 1}, {4, 7, 1}, 2, 10, false); }
TEST(Attention, HasTrueGradientsOfRowsThatAreNotSeen) {
  const Lengths keys = Lengths{6, 2, 4}.hiding({1, 0, 1});
  expect_true_gradients({6, 2, 4}, keys, 3, 5, true);
  expect_true_gradients({1, 3, 1}, keys, 3, 5, false);
}
TEST(Attention, HasTrueGradientsForEmptySequences) { expect_true_gradients({2, 0, 0, 3}, {3, 2, 0, 3}, 1, 3, false); }

/// Both passes in float on every level against double.
void expect_near_double(const Lengths& queries, const Lengths& keys, Index heads, Index head_width, bool causal) {
  Attention<double> reference(queries, keys, heads, head_width, causal);
  reference.run();
  test::for_each_level([&](simd::Level) {
    Attention<float> a(queries, keys, heads, head_width, causal);
    a.run();
    EXPECT_TRUE(near_relative_to_max(a.out.values(), reference.out.values(), 2e-6));
    EXPECT_TRUE(near_relative_to_max(a.lse, reference.lse, 1e-6));
    EXPECT_TRUE(near_relative_to_max(a.dq.values(), reference.dq.values(), 4e-6));
    EXPECT_TRUE(near_relative_to_max(a.dk.values(), reference.dk.values(), 4e-6));
    EXPECT_TRUE(near_relative_to_max(a.dv.values(), reference.dv.values(), 4e-6));
    EXPECT_TRUE(a.out.intact() && a.dq.intact() && a.dk.intact() && a.dv.intact());
  });
}

TEST(Attention, IsAccurateForEveryWidth) {
  for (const Index width : {1, 3, 8, 10, 16, 20, 48, 64, 72, 80, 104}) {
    SCOPED_TRACE("width " + std::to_string(width));
    expect_near_double({13, 29}, {13, 29}, 2, width, width % 3 == 0);
  }
}

TEST(Attention, IsAccurateForEveryLength) {
  std::vector<Index> lengths;
  for (Index length = 0; length <= 67; ++length) lengths.push_back(length);
  const Lengths all(lengths);
  expect_near_double(all, all, 1, 12, false);
  expect_near_double(all, all, 1, 12, true);
}

TEST(Attention, IsAccurateForTheSequencesOfTheModels) {
  expect_near_double({50, 50}, {50, 50}, 3, 64, false);
  expect_near_double({77, 9}, {77, 9}, 2, 64, true);
  expect_near_double({197}, {197}, 2, 64, false);
  expect_near_double({1, 1}, {196, 50}, 2, 64, false);
}

TEST(Attention, IsAccurateForSeveralBlocksOfKeys) {
  expect_near_double({577}, {577}, 1, 16, false);
  expect_near_double({1100}, {1100}, 1, 8, true);
  expect_near_double({3, 5}, {1030, 513}, 1, 8, false);
}

/// The last row of a causal sequence asks those before it: what it says itself changes nothing.
TEST(Attention, DoesNotSeeRowsBehindTheKeyEnd) {
  const Lengths lengths{17, 33, 78, 5}, hidden = lengths.hiding({1, 1, 1, 0});
  expect_near_double(lengths, hidden, 2, 20, true);
  expect_near_double({1, 1, 1, 1}, hidden, 2, 20, false);
  Attention<float> a(lengths, hidden, 2, 20, true);
  a.run();
  const Tensor<float, 2> before = a.out.values();
  for (const Index row : {16, 49, 127}) {
    EXPECT_EQ(a.dk.view()(row, 3), 0.0F);
    EXPECT_EQ(a.dv.view()(row, 39), 0.0F);
    for (Index c = 0; c < a.kv.extent(1); ++c) a.kv(row, c) = 100;
  }
  a.forward();
  EXPECT_TRUE(same_bits(a.out.values(), before));
  a.kv(132, 0) = 100;  // the last row of the last sequence, which is seen
  a.forward();
  EXPECT_FALSE(same_bits(a.out.values(), before));
}

TEST(Attention, SurvivesLargeScores) {
  test::for_each_level([](simd::Level) {
    Attention<float> a({600}, {600}, 1, 8, true);
    Attention<double> reference({600}, {600}, 1, 8, true);
    for (Index i = 0; i < a.q.size(); ++i) a.q.data()[i] *= 100;
    for (Index i = 0; i < a.q.size(); ++i) reference.q.data()[i] *= 100;
    a.run();
    reference.run();
    // Scores of about 300 carry rounding errors of 3e-5 into the exponentials.
    EXPECT_TRUE(near_relative_to_max(a.out.values(), reference.out.values(), 1e-4));
    EXPECT_TRUE(near_relative_to_max(a.dq.values(), reference.dq.values(), 2e-4));
  });
}

/// f(precision) in float32 on every level, and in bfloat16 on the machine's own if it has it.
template <class F>
void for_each_precision(F&& f) {
  test::for_each_level([&](simd::Level) { f(Precision::float32); });
  if (simd::effective_precision(Precision::bfloat16) == Precision::float32) return;
  SCOPED_TRACE("bfloat16");
  f(Precision::bfloat16);
}

/// Rows of `part` are, bit for bit, the rows [begin, ...) of `whole`.
template <class Matrix>
testing::AssertionResult rows_have_bits(const Matrix& part, const Matrix& whole, Index begin) {
  Tensor<float, 2> expected({part.extent(0), part.extent(1)});
  copy(whole.view().slice(begin, begin + part.extent(0)), TensorView<float, 2>(expected));
  return same_bits(part, expected);
}

TEST(Attention, HasTheSameBitsForASequenceAlone) {
  for_each_precision([](Precision precision) {
    for (const bool causal : {false, true}) {
      Attention<float> batch({31, 50, 17}, {31, 50, 17}, 2, 24, causal, precision);
      batch.run();
      Attention<float> alone({50}, {50}, 2, 24, causal, precision);
      copy(TensorView<const float, 2>(batch.q.view().slice(31, 81)), alone.q.view());
      copy(TensorView<const float, 2>(batch.kv.view().slice(31, 81)), alone.kv.view());
      copy(TensorView<const float, 2>(batch.dout.view().slice(31, 81)), alone.dout.view());
      alone.run();
      EXPECT_TRUE(rows_have_bits(alone.out.values(), batch.out.values(), 31));
      EXPECT_TRUE(rows_have_bits(alone.lse, batch.lse, 31));
      EXPECT_TRUE(rows_have_bits(alone.dq.values(), batch.dq.values(), 31));
      EXPECT_TRUE(rows_have_bits(alone.dk.values(), batch.dk.values(), 31));
      EXPECT_TRUE(rows_have_bits(alone.dv.values(), batch.dv.values(), 31));
    }
  });
}

TEST(Attention, HasTheSameBitsForTheLastQueryAlone) {
  for_each_precision([](Precision precision) {
    for (const bool causal : {false, true}) {
      for (const Index length : {5, 77, 530}) {
        Attention<float> whole({length}, {length}, 2, 24, causal, precision);
        whole.forward();
        Attention<float> last({1}, {length}, 2, 24, false, precision);
        copy(TensorView<const float, 2>(whole.q.view().slice(length - 1, length)), last.q.view());
        last.forward();
        EXPECT_TRUE(rows_have_bits(last.out.values(), whole.out.values(), length - 1));
        EXPECT_TRUE(rows_have_bits(last.lse, whole.lse, length - 1));
      }
    }
  });
}

TEST(Attention, HasTheSameBitsForAnyNumberOfThreads) {
  const Lengths lengths{40, 3, 77, 50, 12};
  for_each_precision([&](Precision precision) {
    Attention<float> serial(lengths, lengths, 3, 16, true, precision);
    {
      const ThreadLimit one(1);
      serial.run();
    }
    Attention<float> parallel(lengths, lengths, 3, 16, true, precision);
    parallel.run();
    EXPECT_TRUE(same_bits(parallel.out.values(), serial.out.values()));
    EXPECT_TRUE(same_bits(parallel.lse, serial.lse));
    EXPECT_TRUE(same_bits(parallel.dq.values(), serial.dq.values()));
    EXPECT_TRUE(same_bits(parallel.dk.values(), serial.dk.values()));
    EXPECT_TRUE(same_bits(parallel.dv.values(), serial.dv.values()));
  });
}

TEST(Attention, RoundsTheFactorsOfBfloat16Products) {
  if (simd::effective_precision(Precision::bfloat16) == Precision::float32) GTEST_SKIP() << "no bfloat16 here";
  Attention<double> reference({50, 77}, {50, 77}, 2, 64, true);
  Attention<float> a({50, 77}, {50, 77}, 2, 64, true, Precision::bfloat16);
  reference.run();
  a.run();
  // tests/simd/attention_bf16_test.cpp holds every element to the bound of its own rounding, 2^-8 a factor.
  for (const auto& [actual, expected] :
       {std::pair{&a.out, &reference.out}, {&a.dq, &reference.dq}, {&a.dk, &reference.dk}, {&a.dv, &reference.dv}}) {
    EXPECT_TRUE(near_relative_to_max(actual->values(), expected->values(), 1e-2));
    EXPECT_FALSE(near_relative_to_max(actual->values(), expected->values(), 1e-5)) << "these are products of float32";
  }
}

TEST(Attention, ComputesInFloat32WhereALevelHasNoBfloat16) {
  test::for_each_level([](simd::Level) {
    Attention<float> asked({13, 5}, {13, 5}, 2, 24, false, Precision::bfloat16);
    Attention<float> a({13, 5}, {13, 5}, 2, 24, false);
    asked.run();
    a.run();
    EXPECT_TRUE(same_bits(asked.out.values(), a.out.values()));
    EXPECT_TRUE(same_bits(asked.dk.values(), a.dk.values()));
  });
}

TEST(Attention, AllocatesNothingTheSecondTime) {
  Attention<float> a({50, 77}, {50, 77}, 2, 16, false);
  a.run();
  const std::size_t capacity = a.workspace.capacity();
  a.run();
  EXPECT_EQ(a.workspace.capacity(), capacity);
}

TEST(Attention, WritesNoLogSumExpWhenNoneIsWanted) {
  Attention<float> a({4}, {4}, 2, 8, false);
  a.lse.fill(5.0F);
  ops::attention_forward<float>(a.q_view(), a.k_view(), a.v_view(), a.queries.sequences(), a.keys.sequences(),
                                {2, false}, ops::Operand<float>(a.out.view()), {}, a.workspace);
  EXPECT_EQ(a.lse(0, 0), 5.0F);
  const auto without = a.out.values();
  a.forward();
  EXPECT_TRUE(same_bits(a.out.values(), without));
}

/// The message of what forward() throws.
std::string refusal(Attention<float>& a) {
  try {
    a.forward();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Attention, RefusesShapesThatDoNotFit) {
  Attention<float> heads({4}, {4}, 2, 5, false);
  heads.heads = 3;
  EXPECT_NE(refusal(heads).find("[attention] the width does not divide into 3 heads; q (4, 10)"), std::string::npos);
  Attention<float> no_keys({2, 1}, {3, 0}, 1, 4, false);
  EXPECT_NE(refusal(no_keys).find("sequence 1 has 1 queries and 0 keys"), std::string::npos);
  Attention<float> causal({2, 1}, {3, 1}, 1, 4, true);
  EXPECT_NE(refusal(causal).find("sequence 0 has 2 queries and 3 keys, causal"), std::string::npos);
  Attention<float> counts({2}, {1, 1}, 1, 4, false);
  EXPECT_NE(refusal(counts).find("1 sequences of queries, 2 of keys"), std::string::npos);
  Attention<float> rows({2}, {2}, 1, 4, false);
  rows.queries = Lengths{1};
  EXPECT_NE(refusal(rows).find("the sequences cover 1 queries and 2 keys"), std::string::npos);
}

}  // namespace
}  // namespace couplet
