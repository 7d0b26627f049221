#include "couplet/search/index.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "couplet/core/random.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::search {
namespace {

Tensor<float, 2> random_rows(Index rows, Index columns, std::uint64_t seed) {
  Tensor<float, 2> values({rows, columns});
  Random random(seed);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = static_cast<float>(random.normal());
  return values;
}

std::vector<std::string> names(Index n) {
  std::vector<std::string> items;
  for (Index i = 0; i < n; ++i) items.push_back("item " + std::to_string(i));
  return items;
}

std::vector<float> query_of(Index columns, std::uint64_t seed) {
  const auto row = random_rows(1, columns, seed);
  return {row.data(), row.data() + columns};
}

TEST(EmbeddingIndex, FindsWhatSortingAllFinds) {
  for (const Index n : {1, 5, 4096, 9001}) {
    const Index dim = 19;
    const EmbeddingIndex index(random_rows(n, dim, 1), names(n));
    const auto query = query_of(dim, 2);
    std::vector<double> scores(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) {
      for (Index e = 0; e < dim; ++e) {
        scores[static_cast<std::size_t>(i)] += double{index.embeds()(i, e)} * query[static_cast<std::size_t>(e)];
      }
    }
    std::vector<Index> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), Index{0});
    std::sort(order.begin(), order.end(), [&](Index a, Index b) {
      return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
    });
    const auto hits = index.search(query, 10);
    ASSERT_EQ(hits.size(), static_cast<std::size_t>(std::min<Index>(n, 10)));
    for (std::size_t i = 0; i < hits.size(); ++i) {
      EXPECT_EQ(hits[i].item, order[i]);
      EXPECT_NEAR(hits[i].score, scores[static_cast<std::size_t>(order[i])], 1e-5);
    }
  }
}

TEST(EmbeddingIndex, OrdersEqualScoresByPosition) {
  Tensor<float, 2> rows({10000, 2});
  rows.fill(0.5F);
  rows(7777, 0) = 1.0F;
  const EmbeddingIndex index(std::move(rows), names(10000));
  const auto hits = index.search(std::vector<float>{1.0F, 1.0F}, 4);
  EXPECT_EQ(hits, (std::vector<Hit>{{7777, 1.5F}, {0, 1.0F}, {1, 1.0F}, {2, 1.0F}}));
}

TEST(EmbeddingIndex, ResultsDoNotDependOnThreads) {
  const EmbeddingIndex index(random_rows(20000, 33, 3), names(20000));
  const auto query = query_of(33, 4);
  const auto expected = [&] {
    const ThreadLimit one(1);
    return index.search(query, 50);
  }();
  for (const int threads : {2, 4}) {
    const ThreadLimit limit(threads);
    EXPECT_EQ(index.search(query, 50), expected);
  }
}

TEST(EmbeddingIndex, AnswersForAnyK) {
  const EmbeddingIndex index(random_rows(5, 3, 5), names(5));
  const auto query = query_of(3, 6);
  EXPECT_TRUE(index.search(query, 0).empty());
  EXPECT_EQ(index.search(query, 5), index.search(query, 1000));
  EXPECT_THROW((void)index.search(query, -1), std::invalid_argument);
  const EmbeddingIndex empty(Tensor<float, 2>({0, 3}), {});
  EXPECT_TRUE(empty.search(query, 3).empty());
}

TEST(EmbeddingIndex, RefusesWhatDoesNotFit) {
  const EmbeddingIndex index(random_rows(5, 3, 5), names(5));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW((void)index.search(query_of(4, 1), 1), std::invalid_argument);
  EXPECT_THROW((void)index.search(std::vector<float>{1, nan, 0}, 1), std::invalid_argument);
  EXPECT_THROW(EmbeddingIndex(random_rows(5, 3, 5), names(4)), std::invalid_argument);
  EXPECT_THROW(EmbeddingIndex(Tensor<float, 2>({2, 0}), names(2)), std::invalid_argument);
  Tensor<float, 2> rows({1, 1});
  rows(0, 0) = nan;
  EXPECT_THROW(EmbeddingIndex(std::move(rows), names(1)), std::invalid_argument);
}

TEST(EmbeddingIndex, SurvivesTheDisk) {
  const test::TemporaryDirectory folder;
  const EmbeddingIndex index(random_rows(20, 6, 7), names(20));
  index.save(folder.path("i.safetensors"));
  const EmbeddingIndex back = EmbeddingIndex::load(folder.path("i.safetensors"));
  const auto query = query_of(6, 8);
  EXPECT_EQ(back.items(), index.items());
  EXPECT_EQ(back.search(query, 20), index.search(query, 20));
}

TEST(EmbeddingIndex, LargestComponentsGiveFiniteScores) {
  Tensor<float, 2> rows({2, 1000});
  rows.fill(max_component);
  const EmbeddingIndex index(std::move(rows), names(2));
  EXPECT_LT(index.search(std::vector<float>(1000, max_component), 1)[0].score, std::numeric_limits<float>::max());
}

}  // namespace
}  // namespace couplet::search
