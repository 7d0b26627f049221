#pragma once
/// Small things that processes tell each other between steps: flags, words, the state of the first process.
#include <cstring>
#include <string>
#include <vector>

#include "couplet/distributed/rank_order.hpp"

namespace couplet::inline COUPLET_ABI::distributed {

/// The flags that any process raises.
inline std::uint8_t any_of(Communicator& communicator, std::uint8_t flags) {
  if (communicator.is_alone()) return flags;
  Workspace workspace;
  std::uint8_t all = 0;
  for (const std::uint8_t one : gather_values(communicator, flags, workspace, Purpose::agreement)) all |= one;
  return all;
}

/// Everybody's strings, in the order of ranks.
inline std::vector<std::string> gather_strings(Communicator& communicator, const std::vector<std::string>& mine) {
  if (communicator.is_alone()) return mine;
  std::string bytes;
  for (const std::string& text : mine) {
    const std::uint64_t length = text.size();
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += text;
  }
  Workspace workspace;
  const auto rows = gather_values(communicator, static_cast<Index>(bytes.size()), workspace, Purpose::agreement);
  const Index before = std::accumulate(rows.begin(), rows.begin() + communicator.rank(), Index{0});
  std::string all(static_cast<std::size_t>(std::accumulate(rows.begin(), rows.end(), Index{0})), '\0');
  std::copy(bytes.begin(), bytes.end(), all.begin() + before);
  communicator.all_gather(all.data(), rows, 1, Purpose::agreement);
  std::vector<std::string> strings;
  for (std::size_t at = 0; at < all.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, all.data() + at, sizeof length);
    strings.push_back(all.substr(at + sizeof length, length));
    at += sizeof length + length;
  }
  return strings;
}

/// Every process must have come to the same words; std::invalid_argument in all of them otherwise.
inline void require_same(Communicator& communicator, const std::string& what, const std::string& mine) {
  const std::vector<std::string> all = gather_strings(communicator, {mine});
  for (std::size_t r = 1; r < all.size(); ++r) {
    if (all[r] == all[0]) continue;
    fail("distributed",
         what + " of process " + std::to_string(r) + " differs from process 0's:\n  " + all[r] + "\n  " + all[0]);
  }
}

/// `count` values of process 0 go to all.
template <class T>
void broadcast(Communicator& communicator, T* values, Index count) {
  if (communicator.is_alone()) return;
  std::vector<Index> rows(static_cast<std::size_t>(communicator.size()), 0);
  rows[0] = count;
  communicator.all_gather(values, rows, sizeof(T), Purpose::agreement);
}

}  // namespace couplet::inline COUPLET_ABI::distributed
