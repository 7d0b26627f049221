// Under mpirun, with any number of processes. With --failing-process the last one fails in the middle of a step.
#include "couplet/distributed/mpi_communicator.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <iostream>

#include "couplet/distributed/launcher.hpp"
#include "support/distributed_checks.hpp"
#include "support/exchange_checks.hpp"

namespace {

using namespace couplet;

distributed::MpiCommunicator* world = nullptr;

TEST(MpiCommunicator, GathersScattersAndPassesOn) {
  test::expect_rows_are_gathered(*world);
  test::expect_rows_reach_everybody(*world);
  test::expect_rows_go_around(*world);
}

TEST(MpiCommunicator, Agrees) {
  EXPECT_EQ(distributed::launched_processes(), world->size());
  test::expect_agreement(*world);
  test::expect_sums_in_rank_order(*world);
}

TEST(MpiCommunicator, CarriesMoreThanFitsIntoABuffer) {
  const Index rows = 50000;
  std::vector<Index> everybodys(static_cast<std::size_t>(world->size()), rows);
  std::vector<double> all(everybodys.size() * static_cast<std::size_t>(rows) * 8, -1);
  const auto own = static_cast<std::size_t>(world->rank()) * static_cast<std::size_t>(rows) * 8;
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows) * 8; ++i) all[own + i] = static_cast<double>(own + i);
  world->all_gather(all.data(), everybodys, 64, distributed::Purpose::features);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<double>(i));
}

TEST(MpiCommunicator, StepsHaveLossAndGradientsOfOneProcess) { test::expect_steps_equal_one_process(*world); }

TEST(MpiCommunicator, StepsHaveTheSameBitsInEveryRunAndProcess) { test::expect_steps_repeat_bit_by_bit(*world); }

/// The last process throws while its gradients are being summed, and the others wait for it.
void fail_in_the_middle_of_a_step() {
  Parameter<float> small(Shape{1000}), large(Shape{1000});
  small.zero_grad();
  large.zero_grad();
  distributed::GradientSum<float> sum(*world);
  sum.start(small);
  if (world->rank() == world->size() - 1) throw std::runtime_error("failed on purpose");
  sum.start(large);
  sum.finish();
}

}  // namespace

int main(int argc, char** argv) {
  distributed::MpiCommunicator communicator;
  world = &communicator;
  testing::InitGoogleTest(&argc, argv);
  if (communicator.rank() > 0) testing::GTEST_FLAG(brief) = true;
  try {
    if (argc == 2 && std::strcmp(argv[1], "--failing-process") == 0) fail_in_the_middle_of_a_step();
    return RUN_ALL_TESTS();
  } catch (const std::exception& error) {
    std::cerr << "process " << communicator.rank() << ": " << error.what() << std::endl;
    communicator.end_job(3);
  }
  return 3;
}
