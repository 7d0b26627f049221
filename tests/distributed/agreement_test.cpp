#include "couplet/distributed/agreement.hpp"

#include "support/exchange_checks.hpp"
#include "support/thread_world.hpp"

namespace {

using namespace couplet;

TEST(Agreement, FlagsWordsAndTheStateOfTheFirst) {
  for (const int size : {1, 2, 3, 4}) test::ThreadWorld::run(size, test::expect_agreement);
}

}  // namespace
