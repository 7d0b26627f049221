#pragma once
/// What every Communicator must do: checks of one process among several, called by all of them. Tests run them over
/// threads (thread_world.hpp) and under mpirun.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "couplet/distributed/agreement.hpp"

namespace couplet::test {

/// Process r has r + 1 rows of two numbers, 10 r and up.
inline void expect_rows_are_gathered(distributed::Communicator& communicator) {
  const auto size = static_cast<std::size_t>(communicator.size());
  std::vector<Index> rows(size);
  std::iota(rows.begin(), rows.end(), Index{1});
  std::vector<int> expected;
  for (int r = 0; r < communicator.size(); ++r) {
    for (int i = 0; i < 2 * (r + 1); ++i) expected.push_back(10 * r + i);
  }
  std::vector<int> all(expected.size(), -1);
  const Index before = 2 * std::accumulate(rows.begin(), rows.begin() + communicator.rank(), Index{0});
  for (int i = 0; i < 2 * (communicator.rank() + 1); ++i) {
    all[static_cast<std::size_t>(before + i)] = 10 * communicator.rank() + i;
  }
  communicator.all_gather(all.data(), rows, 2 * sizeof(int), distributed::Purpose::features);
  EXPECT_EQ(all, expected);
}

/// Process r sends s rows to process s: 100 r + 10 s and up.
inline void expect_rows_reach_everybody(distributed::Communicator& communicator) {
  if (communicator.is_alone()) return;
  const int size = communicator.size(), rank = communicator.rank();
  std::vector<Index> send_rows, receive_rows(static_cast<std::size_t>(size), rank);
  std::vector<int> send, expected;
  for (int s = 0; s < size; ++s) {
    send_rows.push_back(s);
    for (int i = 0; i < s; ++i) send.push_back(100 * rank + 10 * s + i);
    for (int i = 0; i < rank; ++i) expected.push_back(100 * s + 10 * rank + i);
  }
  std::vector<int> received(expected.size(), -1);
  communicator.all_to_all(send.data(), send_rows, received.data(), receive_rows, sizeof(int),
                          distributed::Purpose::gradients);
  EXPECT_EQ(received, expected);
}

/// Rows of different numbers go once around the ring.
inline void expect_rows_go_around(distributed::Communicator& communicator) {
  if (communicator.is_alone()) return;
  const int size = communicator.size();
  int here = communicator.rank();
  std::vector<int> rows(static_cast<std::size_t>(here + 1), here), next(static_cast<std::size_t>(size), -1);
  for (int step = 0; step < size; ++step) {
    const int coming = (here + 1) % size;
    communicator.pass_on(rows.data(), here + 1, next.data(), coming + 1, sizeof(int), distributed::Purpose::features);
    rows.assign(next.begin(), next.begin() + coming + 1);
    here = coming;
    EXPECT_EQ(rows, std::vector<int>(static_cast<std::size_t>(here + 1), here));
  }
  EXPECT_EQ(here, communicator.rank());
}

inline void expect_agreement(distributed::Communicator& communicator) {
  const int last = communicator.size() - 1;
  EXPECT_EQ(distributed::any_of(communicator, communicator.rank() == last ? 4 : 0), 4);
  EXPECT_EQ(distributed::any_of(communicator, 0), 0);
  std::vector<std::string> mine(static_cast<std::size_t>(communicator.rank()), std::string(1, '\0') + "\n,");
  mine.push_back("of " + std::to_string(communicator.rank()));
  std::vector<std::string> expected;
  for (int r = 0; r <= last; ++r) {
    expected.insert(expected.end(), static_cast<std::size_t>(r), mine.size() > 1 ? mine[0] : std::string("\0\n,", 3));
    expected.push_back("of " + std::to_string(r));
  }
  EXPECT_EQ(distributed::gather_strings(communicator, mine), expected);
  std::vector<double> values{1.5 + communicator.rank(), 2.5};
  distributed::broadcast(communicator, values.data(), 2);
  EXPECT_EQ(values, (std::vector<double>{1.5, 2.5}));
  EXPECT_NO_THROW(distributed::require_same(communicator, "the answer", "42"));
  if (communicator.is_alone()) return;
  try {
    distributed::require_same(communicator, "the answer", communicator.rank() == last ? "41" : "42");
    ADD_FAILURE() << "41 is 42";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()),
              "[distributed] the answer of process " + std::to_string(last) + " differs from process 0's:\n  41\n  42");
  }
}

/// Sums whose result depends on the order, and are the same bits everywhere.
inline void expect_sums_in_rank_order(distributed::Communicator& communicator) {
  Workspace workspace;
  const double terms[] = {1, 1e100, 1, -1e100};
  const double mine = terms[communicator.rank() % 4];
  double expected = 0;
  for (int r = 0; r < communicator.size(); ++r) expected += terms[r % 4];
  EXPECT_EQ(distributed::sum(communicator, mine, workspace, distributed::Purpose::features), expected);
}

}  // namespace couplet::test
