#pragma once
/// Sums over processes that have the same bits in every run: whoever forms one adds the parts in the order of ranks, in
/// double, and rounds once. (MPI_Allreduce leaves the order to the library and to the network.)
#include <algorithm>

#include "couplet/core/aligned_buffer.hpp"
#include "couplet/core/workspace.hpp"
#include "couplet/distributed/communicator.hpp"

namespace couplet::inline COUPLET_ABI::distributed {

/// What every process contributes, in the order of ranks. The memory is the workspace's.
template <class T>
std::span<T> gather_values(Communicator& communicator, const T& mine, Workspace& workspace, Purpose purpose) {
  const auto size = static_cast<std::size_t>(communicator.size());
  T* all = workspace.take<T>(communicator.size());
  all[communicator.rank()] = mine;
  if (communicator.is_alone()) return {all, size};
  Index* ones = workspace.take<Index>(communicator.size());
  std::fill_n(ones, size, Index{1});
  communicator.all_gather(all, {ones, size}, sizeof(T), purpose);
  return {all, size};
}

/// The sum of every process's value; the same bits in all of them.
inline double sum(Communicator& communicator, double mine, Workspace& workspace, Purpose purpose) {
  if (communicator.is_alone()) return mine;
  const Workspace::Scope scope(workspace);
  double total = 0;
  for (const double value : gather_values(communicator, mine, workspace, purpose)) total += value;
  return total;
}

/// sum[i] = parts[i] + parts[count + i] + ..., in this order. sum: (count)   parts: (n, count)
template <class T>
void add_in_order(const T* parts, Index n, Index count, T* sum) {
  constexpr Index chunk = 1024;
  double total[chunk];
  for (Index begin = 0; begin < count; begin += chunk) {
    const Index length = std::min(chunk, count - begin);
    std::fill_n(total, length, 0.0);
    for (Index part = 0; part < n; ++part) {
      const T* values = parts + part * count + begin;
      for (Index i = 0; i < length; ++i) total[i] += static_cast<double>(values[i]);
    }
    for (Index i = 0; i < length; ++i) sum[begin + i] = static_cast<T>(total[i]);
  }
}

/// Reduce-scatter. Every process has a part of the sum of all rows, and gets the sum of its own rows.
/// part: (sum of rows, columns)   mine: (own rows, columns), assigned   scratch: room for size x own rows x columns
template <class T>
void sum_own_rows(Communicator& communicator, const T* part, Communicator::Rows rows, Index columns, T* mine,
                  T* scratch, std::span<Index> own_rows, Purpose purpose) {
  const Index own = rows[static_cast<std::size_t>(communicator.rank())];
  std::fill(own_rows.begin(), own_rows.end(), own);
  communicator.all_to_all(part, rows, scratch, own_rows, static_cast<std::size_t>(columns) * sizeof(T), purpose);
  add_in_order(scratch, communicator.size(), own * columns, mine);
}

}  // namespace couplet::inline COUPLET_ABI::distributed
