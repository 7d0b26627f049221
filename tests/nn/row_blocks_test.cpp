#include "couplet/nn/row_blocks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <vector>

namespace {

using namespace couplet;

TEST(RowBlocks, CoverTheBatchWithWholeSequences) {
  std::vector<Index> offsets{0};
  for (Index i = 0; i < 40; ++i) offsets.push_back(offsets.back() + i % 7 * 13);
  const Sequences sequences(offsets);
  std::vector<int> seen(static_cast<std::size_t>(sequences.rows()), 0);
  std::vector<int> seen_sequences(40, 0);
  std::mutex mutex;
  Workspace workspace;
  nn::for_each_row_block(sequences, workspace, [&](const nn::RowBlock& block, Workspace&) {
    const std::scoped_lock lock(mutex);
    EXPECT_EQ(sequences.begin(block.first_sequence), block.first_row);
    for (Index r = 0; r < block.sequences.rows(); ++r) ++seen[static_cast<std::size_t>(block.first_row + r)];
    for (Index s = 0; s < block.sequences.count(); ++s) {
      ++seen_sequences[static_cast<std::size_t>(block.first_sequence + s)];
      EXPECT_EQ(block.sequences.length(s), sequences.length(block.first_sequence + s));
    }
    EXPECT_LE(block.sequences.rows(), nn::rows_per_block + 6 * 13);
  });
  for (const int count : seen) EXPECT_EQ(count, 1);
  for (const int count : seen_sequences) EXPECT_EQ(count, 1);
}

TEST(RowBlocks, KeepKeyEnds) {
  std::vector<Index> offsets{0}, key_ends;
  for (Index i = 0; i < 30; ++i) {
    offsets.push_back(offsets.back() + 40 + i);
    key_ends.push_back(offsets.back() - i % 2);
  }
  const Sequences sequences(offsets, key_ends);
  std::atomic<Index> compared = 0;
  Workspace workspace;
  nn::for_each_row_block(sequences, workspace, [&](const nn::RowBlock& block, Workspace&) {
    for (Index s = 0; s < block.sequences.count(); ++s, ++compared) {
      EXPECT_EQ(block.first_row + block.sequences.key_end(s), sequences.key_end(block.first_sequence + s));
    }
  });
  EXPECT_EQ(compared, 30);
}

TEST(RowBlocks, EveryThreadGetsTheSame) {
  std::vector<Index> offsets;
  for (Index i = 0; i <= 32; ++i) offsets.push_back(50 * i);
  const Sequences images(offsets);
  Workspace workspace;
  for (const int threads : {1, 2}) {
    const ThreadLimit limit(threads);
    if (available_threads() < threads) continue;
    std::vector<Index> rows;
    std::mutex mutex;
    nn::for_each_row_block(images, workspace, [&](const nn::RowBlock& block, Workspace&) {
      const std::scoped_lock lock(mutex);
      rows.push_back(block.sequences.rows());
    });
    EXPECT_EQ(rows.size() % static_cast<std::size_t>(threads), 0U);
    EXPECT_LE(*std::max_element(rows.begin(), rows.end()), 350);
    EXPECT_GE(*std::min_element(rows.begin(), rows.end()), 250);
  }
}

TEST(RowBlocks, LongAndEmptySequencesAreBlocksToo) {
  const std::array<Index, 6> offsets{0, 1000, 1000, 1001, 2500, 2500};
  Workspace workspace;
  std::atomic<Index> rows{0}, sequences{0};
  nn::for_each_row_block(Sequences(offsets), workspace, [&](const nn::RowBlock& block, Workspace&) {
    rows += block.sequences.rows();
    sequences += block.sequences.count();
  });
  EXPECT_EQ(rows, 2500);
  EXPECT_EQ(sequences, 5);
}

TEST(RowBlocks, NothingHappensForAnEmptyBatch) {
  const std::array<Index, 1> offsets{0};
  Workspace workspace;
  nn::for_each_row_block(Sequences(offsets), workspace, [](const nn::RowBlock&, Workspace&) { FAIL(); });
}

TEST(RowBlocks, RepeatARow) {
  Tensor<double, 2> row({1, 2}), y({3, 2});
  row(0, 0) = 1;
  row(0, 1) = 2;
  nn::repeat_row<double>(row.view()[0], y);
  for (Index i = 0; i < 3; ++i) EXPECT_TRUE(y(i, 0) == 1 && y(i, 1) == 2);
}

TEST(RowBlocks, GatherAndScatterAreTransposes) {
  Tensor<double, 2> x({4, 2});
  for (Index i = 0; i < 8; ++i) x.data()[i] = static_cast<double>(i);
  const std::array<Index, 3> rows{2, 0, 2};
  Tensor<double, 2> y({3, 2});
  nn::gather_rows<double>(x, rows, y);
  EXPECT_EQ(y(0, 1), 5.0);
  EXPECT_EQ(y(1, 0), 0.0);
  Tensor<double, 2> z({4, 2});
  nn::scatter_add_rows<double>(y, rows, z);
  EXPECT_EQ(z(2, 1), 10.0);
  EXPECT_EQ(z(0, 1), 1.0);
  EXPECT_EQ(z(3, 1), 0.0);
}

}  // namespace
