#pragma once
/// Row blocks: the unit of work of a transformer.
///
/// A block is a run of whole sequences, a few hundred rows that stay in the L2 cache while they go through all layers.
/// Rows never influence each other except inside their sequence, so the cut decides only who works when, not the bits.
#include <span>

#include "couplet/core/parallel.hpp"
#include "couplet/core/sequences.hpp"

namespace couplet::inline COUPLET_ABI::nn {

struct RowBlock {
  Index first_row = 0;       ///< of the batch
  Index first_sequence = 0;  ///< of the batch
  Sequences sequences;       ///< offsets relative to first_row
};

/// 320 rows of 768 float32 activations are about 1 MiB: with one panel of weights they fit the L2 of a server core.
inline constexpr Index rows_per_block = 320;

namespace detail {

/// How many blocks: as few as keep to rows_per_block, but the same number for every thread. 32 images of 50 rows on two
/// threads are 6 blocks of 5 or 6 images; five blocks of 6 images and one of 2 would leave a thread idle for a tenth of
/// the time.
inline Index count_blocks(const Sequences& sequences) {
  const Index threads = available_threads();
  const Index blocks = (sequences.rows() + rows_per_block - 1) / rows_per_block;
  return std::clamp<Index>((blocks + threads - 1) / threads * threads, 1, sequences.count());
}

}  // namespace detail

/// Calls f(block, workspace) for blocks of about equal size that cover `sequences`; in parallel when there are several
/// of them, otherwise on the calling thread, where the operations inside can use all threads themselves.
template <class F>
void for_each_row_block(const Sequences& sequences, Workspace& workspace, F&& f) {
  const Index count = sequences.count();
  if (count == 0) return;
  Workspace::Scope scope(workspace);
  const Index wanted = detail::count_blocks(sequences);
  RowBlock* blocks = workspace.take<RowBlock>(wanted);
  Index* offsets = workspace.take<Index>(2 * count);
  Index* key_ends = workspace.take<Index>(sequences.has_key_ends() ? count : 0);
  Index n = 0;
  for (Index s = 0; s < count; ++n) {
    RowBlock block{sequences.begin(s), s, {}};
    Index* relative = offsets;
    Index* relative_key_ends = key_ends;
    *offsets++ = 0;
    // A sequence belongs to the block in whose share of the rows its middle lies; the last block takes what is left.
    const Index share_end = n + 1 < wanted ? (n + 1) * sequences.rows() / wanted : sequences.rows() + 1;
    do {
      if (sequences.has_key_ends()) *key_ends++ = sequences.key_end(s) - block.first_row;
      *offsets++ = sequences.end(s++) - block.first_row;
    } while (s < count && (sequences.begin(s) + sequences.end(s)) / 2 < share_end);
    block.sequences = Sequences({relative, offsets}, {relative_key_ends, key_ends});
    blocks[n] = block;
  }
  parallel_for(workspace, n, [&](Index i, Workspace& local) { f(blocks[i], local); });
}

/// Sequences of one row each: (0, 1, 2, ...).
inline Sequences one_row_each(Index count, Workspace& workspace) {
  Index* offsets = workspace.take<Index>(count + 1);
  for (Index i = 0; i <= count; ++i) offsets[i] = i;
  return Sequences({offsets, static_cast<std::size_t>(count) + 1});
}

/// Sequences of equal length.
inline Sequences equal_lengths(Index count, Index length, Workspace& workspace) {
  Index* offsets = workspace.take<Index>(count + 1);
  for (Index i = 0; i <= count; ++i) offsets[i] = i * length;
  return Sequences({offsets, static_cast<std::size_t>(count) + 1});
}

/// y[i] = x for every i.
template <class T>
void repeat_row(TensorView<const T, 1> x, TensorView<T, 2> y) {
  for (Index i = 0; i < y.extent(0); ++i) copy(x, y[i]);
}

/// y[i] = x[rows[i]]
template <class T>
void gather_rows(TensorView<const T, 2> x, std::span<const Index> rows, TensorView<T, 2> y) {
  for (std::size_t i = 0; i < rows.size(); ++i) copy(x[rows[i]], y[static_cast<Index>(i)]);
}

/// y[rows[i]] += x[i], in order.
template <class T>
void scatter_add_rows(TensorView<const T, 2> x, std::span<const Index> rows, TensorView<T, 2> y) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TensorView<const T, 1> from = x[static_cast<Index>(i)];
    const TensorView<T, 1> to = y[rows[i]];
    for (Index c = 0; c < from.size(); ++c) to[c] += from[c];
  }
}

}  // namespace couplet::inline COUPLET_ABI::nn
