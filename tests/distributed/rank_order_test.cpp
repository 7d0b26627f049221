#include "couplet/distributed/rank_order.hpp"

#include "support/exchange_checks.hpp"
#include "support/thread_world.hpp"

namespace {

using namespace couplet;

TEST(RankOrder, SumsAreFormedInTheOrderOfRanks) {
  for (const int size : {1, 2, 3, 4, 5, 8}) test::ThreadWorld::run(size, test::expect_sums_in_rank_order);
}

TEST(RankOrder, PartsAreAddedInOrderInDoubleAndRoundedOnce) {
  constexpr Index count = 2500;
  std::vector<float> parts(4 * count), sum(count, 7);
  for (Index i = 0; i < count; ++i) {
    const float terms[] = {1, 1e20F, static_cast<float>(i), -1e20F};
    for (Index part = 0; part < 4; ++part) parts[static_cast<std::size_t>(part * count + i)] = terms[part];
  }
  distributed::add_in_order(parts.data(), 4, count, sum.data());
  for (const float value : sum) ASSERT_EQ(value, 0);  // 1 and i are lost beside 1e20, in this order
  distributed::add_in_order(parts.data() + count, 2, count, sum.data());
  EXPECT_EQ(sum[5], 1e20F + 5);
  distributed::add_in_order(parts.data() + 2 * count, 1, count, sum.data());
  EXPECT_EQ(sum[count - 1], static_cast<float>(count - 1));
}

TEST(RankOrder, EveryProcessGetsTheSumOfItsOwnRows) {
  test::ThreadWorld::run(3, [](distributed::Communicator& communicator) {
    const std::vector<Index> rows{2, 0, 1};
    std::vector<double> part(6), scratch(3 * 4), mine(4, -1);
    std::vector<Index> own_rows(3);
    for (std::size_t i = 0; i < part.size(); ++i) part[i] = static_cast<double>(i) + 100.0 * communicator.rank();
    distributed::sum_own_rows<double>(communicator, part.data(), rows, 2, mine.data(), scratch.data(), own_rows,
                                      distributed::Purpose::gradients);
    const std::vector<std::vector<double>> expected{{300, 303, 306, 309}, {-1, -1, -1, -1}, {312, 315, -1, -1}};
    EXPECT_EQ(mine, expected[static_cast<std::size_t>(communicator.rank())]);
  });
}

}  // namespace
