#include "couplet/ops/row_blocks.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace couplet {
namespace {

TEST(RowBlocks, CoverEveryRowOnce) {
  for (const Index rows : {0, 1, 20, 21, 1000}) {
    std::vector<int> visits(static_cast<std::size_t>(rows));
    ops::parallel_row_blocks(rows, 800, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) ++visits[static_cast<std::size_t>(r)];
    });
    EXPECT_EQ(visits, std::vector<int>(static_cast<std::size_t>(rows), 1));
  }
}

TEST(RowBlocks, CoverEveryColumnOnce) {
  for (const Index columns : {0, 1, 64, 65, 200}) {
    for (const Index rows : {1, 10000}) {
      std::vector<int> visits(static_cast<std::size_t>(columns));
      ops::parallel_column_blocks(rows, columns, [&](Index begin, Index end) {
        for (Index c = begin; c < end; ++c) ++visits[static_cast<std::size_t>(c)];
      });
      EXPECT_EQ(visits, std::vector<int>(static_cast<std::size_t>(columns), 1));
    }
  }
}

TEST(RowBlocks, DoEveryPieceOfWorkOnce) {
  for (const Index work : {Index{1}, ops::smallest_parallel_work}) {
    Workspace workspace;
    std::vector<int> visits(37);
    ops::parallel_for_work(workspace, work, 37, [&](Index i, Workspace& local) {
      *local.take<int>(1) = 1;
      ++visits[static_cast<std::size_t>(i)];
    });
    EXPECT_EQ(visits, std::vector<int>(37, 1));
  }
}

TEST(RowBlocks, LeaveSmallWorkOnTheCallingThread) {
  Workspace workspace;
  ops::parallel_for_work(workspace, 1, 5, [&](Index, Workspace& local) { EXPECT_EQ(&local, &workspace); });
}

}  // namespace
}  // namespace couplet
