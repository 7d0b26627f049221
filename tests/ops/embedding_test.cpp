#include "couplet/ops/embedding.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/levels.hpp"

namespace couplet {
namespace {

using test::random_matrix;
using test::same_bits;

/// Two texts, (3, 1, 3) and (0, 3), of a vocabulary of 5 with 4 positions.
template <class T>
struct Embedding {
  explicit Embedding(Index width)
      : table(random_matrix<T>(5, width, 1)),
        positions(random_matrix<T>(4, width, 2)),
        dy(random_matrix<T>(5, width, 3)),
        y({5, width}),
        dtable({5, width}),
        dpositions({4, width}) {}
  void forward() { ops::embedding_forward<T>(ids, places, table, positions, y); }
  void backward() { ops::embedding_backward<T>(ids, places, dy, dtable, dpositions); }

  std::vector<std::int64_t> ids{3, 1, 3, 0, 3};
  std::vector<Index> places{0, 1, 2, 0, 1};
  Tensor<T, 2> table;
  Tensor<T, 2> positions;
  Tensor<T, 2> dy;
  Tensor<T, 2> y;
  Tensor<T, 2> dtable;
  Tensor<T, 2> dpositions;
};

TEST(Embedding, AddsTokenAndPosition) {
  test::for_each_level([](simd::Level) {
    Embedding<float> e(21);
    e.forward();
    for (Index r = 0; r < 5; ++r) {
      for (Index c = 0; c < 21; ++c) {
        const auto row = static_cast<std::size_t>(r);
        EXPECT_EQ(e.y(r, c), e.table(e.ids[row], c) + e.positions(e.places[row], c));
      }
    }
  });
}

TEST(Embedding, ATableIn16BitsGivesTheSameBits) {
  Embedding<float> e(21);
  for (Index i = 0; i < e.table.size(); ++i) {
    e.table.data()[i] = float_from_bfloat16(bfloat16_from_float(e.table.data()[i]));
  }
  e.forward();
  ops::HalfMatrix half;
  ASSERT_TRUE(half.assign(5, 21, [&](Index first, Index) { return e.table.data() + first; }));
  Tensor<float, 2> y({5, 21});
  ops::embedding_forward(e.ids, e.places, half, e.positions, y);
  EXPECT_TRUE(same_bits(y, e.y));
  e.ids[1] = 5;
  EXPECT_THROW(ops::embedding_forward(e.ids, e.places, half, e.positions, y), std::invalid_argument);
}

TEST(Embedding, HasTrueGradients) {
  Embedding<double> e(6);
  e.backward();
  const auto loss = [&] {
    e.forward();
    return test::inner_product(test::elements(e.dy), test::elements(e.y));
  };
  EXPECT_TRUE(test::check_gradient(loss, test::elements(e.table), test::elements(e.dtable)));
  EXPECT_TRUE(test::check_gradient(loss, test::elements(e.positions), test::elements(e.dpositions)));
}

TEST(Embedding, ARowWithoutATokenHasItsPositionAlone) {
  Embedding<double> e(6);
  e.ids[2] = ops::no_token;
  e.forward();
  for (Index c = 0; c < 6; ++c) EXPECT_EQ(e.y(2, c), e.positions(2, c));
  e.backward();
  for (Index c = 0; c < 6; ++c) {
    EXPECT_EQ(e.dtable(3, c), e.dy(0, c) + e.dy(4, c));
    EXPECT_EQ(e.dpositions(2, c), e.dy(2, c));
  }
}

TEST(Embedding, AccumulatesAndSkipsWhatIsFrozen) {
  test::for_each_level([](simd::Level) {
    Embedding<float> e(70);
    e.dy.fill(0.5F);
    e.backward();
    ops::embedding_backward<float>(e.ids, e.places, e.dy, e.dtable, {});
    ops::embedding_backward<float>(e.ids, e.places, e.dy, {}, e.dpositions);
    ops::embedding_backward<float>(e.ids, e.places, e.dy, {}, {});
    EXPECT_EQ(e.dtable(3, 69), 3.0F);  // three times in each of two calls
    EXPECT_EQ(e.dtable(2, 0), 0.0F);
    EXPECT_EQ(e.dpositions(0, 0), 2.0F);
    EXPECT_EQ(e.dpositions(2, 69), 1.0F);
    EXPECT_EQ(e.dpositions(3, 0), 0.0F);
  });
}

TEST(Embedding, HasTheSameBitsForAnyNumberOfThreads) {
  const Index rows = 400;
  std::vector<std::int64_t> ids;
  std::vector<Index> places;
  for (Index r = 0; r < rows; ++r) {
    ids.push_back(r * r % 7);
    places.push_back(r % 100);
  }
  const auto dy = random_matrix<float>(rows, 130, 1);
  Tensor<float, 2> serial({7, 130});
  {
    const ThreadLimit one(1);
    ops::embedding_backward<float>(ids, places, dy, serial, {});
  }
  Tensor<float, 2> parallel({7, 130});
  ops::embedding_backward<float>(ids, places, dy, parallel, {});
  EXPECT_TRUE(same_bits(parallel, serial));
}

/// The message of what forward() throws.
std::string refusal(Embedding<float>& e) {
  try {
    e.forward();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Embedding, RefusesIdsOutsideTheVocabulary) {
  for (const std::int64_t id : {std::int64_t{5}, std::int64_t{-2}, std::numeric_limits<std::int64_t>::max()}) {
    Embedding<float> e(4);
    e.ids[2] = id;
    EXPECT_EQ(refusal(e), "[embedding] id " + std::to_string(id) + " at row 2 is outside the vocabulary of 5");
    EXPECT_THROW(e.backward(), std::invalid_argument);
  }
}

TEST(Embedding, RefusesPlacesWithoutAPosition) {
  Embedding<float> e(4);
  e.positions.resize({2, 4});
  EXPECT_EQ(refusal(e), "[embedding] row 2 is at place 2, but only 2 positions have an embedding");
  e.places[1] = -1;
  EXPECT_EQ(refusal(e), "[embedding] row 1 is at place -1, but only 2 positions have an embedding");
}

TEST(Embedding, RefusesShapesThatDoNotFit) {
  Embedding<float> width(4);
  width.positions.resize({4, 5});
  EXPECT_NE(refusal(width).find("widths differ"), std::string::npos);
  Embedding<float> rows(4);
  rows.ids.push_back(0);
  EXPECT_NE(refusal(rows).find("6 ids and 5 places for a result of 5 rows"), std::string::npos);
}

}  // namespace
}  // namespace couplet
