#pragma once
/// What the processes that train one model together say to each other.
///
/// Process `rank` of `size`; all of them call the same functions in the same order, with sizes that fit together. Only
/// data moves here: sums are formed by who receives (rank_order.hpp), in the order of ranks, so that every run has the
/// same bits. Data is counted in rows of `row_bytes` bytes. The implementation over MPI is mpi_communicator.hpp; one
/// process alone has alone().
///
/// A communicator may be called from several threads, but by one at a time.
#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>

#include "couplet/core/shape.hpp"

namespace couplet::inline COUPLET_ABI::distributed {

/// Why something is exchanged, for the count of bytes.
enum class Purpose { features, gradients, agreement };

/// Payload that this process received from others; it sends as much.
struct Traffic {
  std::array<std::uint64_t, 3> bytes{};      ///< by Purpose
  std::array<std::uint64_t, 3> exchanges{};  ///< by Purpose

  [[nodiscard]] std::uint64_t bytes_for(Purpose purpose) const { return bytes[static_cast<std::size_t>(purpose)]; }
  [[nodiscard]] std::uint64_t exchanges_for(Purpose purpose) const {
    return exchanges[static_cast<std::size_t>(purpose)];
  }
};

class Communicator {
 public:
  /// How many rows each process has, in the order of ranks.
  using Rows = std::span<const Index>;

  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool is_alone() const { return size_ == 1; }
  [[nodiscard]] const Traffic& traffic() const { return traffic_; }

  /// `all` has room for the rows of all processes, one after the other, and holds this process's in their place;
  /// afterwards it holds everybody's.
  void all_gather(void* all, Rows rows, std::size_t row_bytes, Purpose purpose) {
    check("all_gather", rows);
    if (is_alone()) return;
    count(total(rows) - own(rows), row_bytes, purpose);
    do_all_gather(all, rows, row_bytes);
  }

  /// Sends piece i of `send` to process i; the piece of process i becomes piece i of `receive`.
  void all_to_all(const void* send, Rows send_rows, void* receive, Rows receive_rows, std::size_t row_bytes,
                  Purpose purpose) {
    check("all_to_all", send_rows);
    check("all_to_all", receive_rows);
    if (own(send_rows) != own(receive_rows)) fail("all_to_all", "what stays here has two sizes");
    count(total(receive_rows) - own(receive_rows), row_bytes, purpose);
    do_all_to_all(send, send_rows, receive, receive_rows, row_bytes);
  }

  /// One step around the ring: sends to the process before this one, and receives from the one behind it.
  void pass_on(const void* send, Index send_rows, void* receive, Index receive_rows, std::size_t row_bytes,
               Purpose purpose) {
    count(is_alone() ? 0 : receive_rows, row_bytes, purpose);
    do_pass_on(send, send_rows, receive, receive_rows, row_bytes);
  }

  /// Makes calls that wait, in whatever thread, give up with an exception: something went wrong in this process, and
  /// the others may never answer. Nothing can be exchanged afterwards. From any thread.
  virtual void interrupt() noexcept {}

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}

  static Index total(Rows rows) { return std::accumulate(rows.begin(), rows.end(), Index{0}); }
  [[nodiscard]] Index own(Rows rows) const { return rows[static_cast<std::size_t>(rank_)]; }

 private:
  virtual void do_all_gather(void* all, Rows rows, std::size_t row_bytes) = 0;
  virtual void do_all_to_all(const void* send, Rows send_rows, void* receive, Rows receive_rows,
                             std::size_t row_bytes) = 0;
  virtual void do_pass_on(const void* send, Index send_rows, void* receive, Index receive_rows,
                          std::size_t row_bytes) = 0;

  void check(const char* op, Rows rows) const {
    if (static_cast<int>(rows.size()) == size_) return;
    fail(op, "expected sizes for " + std::to_string(size_) + " processes, found " + std::to_string(rows.size()));
  }
  void count(Index rows, std::size_t row_bytes, Purpose purpose) {
    traffic_.bytes[static_cast<std::size_t>(purpose)] += static_cast<std::uint64_t>(rows) * row_bytes;
    ++traffic_.exchanges[static_cast<std::size_t>(purpose)];
  }

  int rank_;
  int size_;
  Traffic traffic_;
};

namespace detail {

class Alone final : public Communicator {
 public:
  Alone() : Communicator(0, 1) {}

 private:
  void do_all_gather(void*, Rows, std::size_t) override {}
  void do_all_to_all(const void*, Rows, void*, Rows, std::size_t) override { refuse(); }
  void do_pass_on(const void*, Index, void*, Index, std::size_t) override { refuse(); }
  [[noreturn]] static void refuse() { fail("alone", "a single process has nobody to exchange with"); }
};

}  // namespace detail

/// One process by itself: what everything uses that is not told otherwise.
inline Communicator& alone() {
  static detail::Alone single;
  return single;
}

}  // namespace couplet::inline COUPLET_ABI::distributed
