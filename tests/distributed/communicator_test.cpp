#include "couplet/distributed/communicator.hpp"

#include "support/exchange_checks.hpp"
#include "support/thread_world.hpp"

namespace {

using namespace couplet;
using distributed::Purpose;

TEST(Communicator, GathersScattersAndPassesOn) {
  for (const int size : {1, 2, 3, 5}) {
    test::ThreadWorld::run(size, test::expect_rows_are_gathered);
    test::ThreadWorld::run(size, test::expect_rows_reach_everybody);
    test::ThreadWorld::run(size, test::expect_rows_go_around);
  }
}

TEST(Communicator, CountsWhatComesFromOthers) {
  test::ThreadWorld::run(3, [](distributed::Communicator& communicator) {
    test::expect_rows_are_gathered(communicator);  // 6 rows of 8 bytes
    const auto others = static_cast<std::uint64_t>(6 - (communicator.rank() + 1));
    EXPECT_EQ(communicator.traffic().bytes_for(Purpose::features), others * 8);
    EXPECT_EQ(communicator.traffic().exchanges_for(Purpose::features), 1U);
    test::expect_rows_reach_everybody(communicator);
    EXPECT_EQ(communicator.traffic().bytes_for(Purpose::gradients),
              2U * 4 * static_cast<unsigned>(communicator.rank()));
    EXPECT_EQ(communicator.traffic().bytes_for(Purpose::agreement), 0U);
  });
}

TEST(Communicator, OneProcessIsAlone) {
  distributed::Communicator& alone = distributed::alone();
  EXPECT_TRUE(alone.is_alone());
  test::expect_rows_are_gathered(alone);
  EXPECT_EQ(alone.traffic().bytes_for(Purpose::features), 0U);
  int value = 0;
  EXPECT_THROW(alone.pass_on(&value, 1, &value, 1, sizeof value, Purpose::features), std::invalid_argument);
}

TEST(Communicator, RefusesSizesForAnotherNumberOfProcesses) {
  const std::vector<Index> two{1, 1}, three{1, 1, 1}, other{2, 2};
  test::ThreadWorld::run(2, [&](distributed::Communicator& communicator) {
    int values[4] = {};
    EXPECT_THROW(communicator.all_gather(values, three, sizeof(int), Purpose::features), std::invalid_argument);
    EXPECT_THROW(communicator.all_to_all(values, two, values, other, sizeof(int), Purpose::features),
                 std::invalid_argument);
  });
}

TEST(Communicator, AnInterruptEndsTheWaiting) {
  EXPECT_THROW(test::ThreadWorld::run(2,
                                      [](distributed::Communicator& communicator) {
                                        if (communicator.rank() == 1) throw std::logic_error("on purpose");
                                        test::expect_rows_are_gathered(communicator);
                                      }),
               std::logic_error);
}

}  // namespace
