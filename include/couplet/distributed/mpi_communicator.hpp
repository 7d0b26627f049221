#pragma once
/// The processes of an MPI job. The only header that needs an MPI library (CMake: link couplet::mpi).
///
///   distributed::MpiCommunicator world;                      // MPI_Init_thread; MPI_Finalize when it is destroyed
///   train::TrainingRun(bundle, data, val, options, world).run(observer);
///
/// One per program. When something fails in one process, the others wait for it for ever: catch the exception while the
/// communicator lives, say what happened, and call end_job().
#if !__has_include(<mpi.h>)
#error \
    "couplet/distributed/mpi_communicator.hpp needs an MPI library (Debian package libopenmpi-dev): link couplet::mpi"
#endif
// The C interface alone, not the C++ one that MPI 3 took away.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "couplet/distributed/communicator.hpp"

namespace couplet::inline COUPLET_ABI::distributed {

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() : MpiCommunicator(start()) {}

  ~MpiCommunicator() override {
    if (interrupted_ || !owner_) return;
    MPI_Comm_free(&world_);
    MPI_Finalize();
  }

  /// Ends all processes of the job, at once and with this exit status.
  void end_job(int status) { MPI_Abort(world_, status); }

  void interrupt() noexcept override { interrupted_ = true; }

 private:
  struct Started {
    int rank = 0, size = 1;
    bool owner = false;
  };

  /// Initialises MPI unless the program has done so.
  static Started start() {
    Started started;
    int initialised = 0, level = MPI_THREAD_SINGLE;
    MPI_Initialized(&initialised);
    started.owner = initialised == 0;
    if (started.owner) {
      check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), "MPI_Init_thread");
    } else {
      MPI_Query_thread(&level);
    }
    if (level < MPI_THREAD_SERIALIZED) throw std::runtime_error("MPI: no support for calls from several threads");
    MPI_Comm_rank(MPI_COMM_WORLD, &started.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &started.size);
    return started;
  }
  explicit MpiCommunicator(const Started& started) : Communicator(started.rank, started.size), owner_(started.owner) {
    check(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "MPI_Comm_dup");
    MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
  }

  static void check(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw std::runtime_error(std::string(call) + ": " + text);
  }

  /// A row as MPI's unit, so that counts and places fit into its ints.
  class RowType {
   public:
    explicit RowType(std::size_t bytes) {
      check(MPI_Type_contiguous(int_of(static_cast<Index>(bytes)), MPI_BYTE, &type_), "MPI_Type_contiguous");
      check(MPI_Type_commit(&type_), "MPI_Type_commit");
    }
    ~RowType() { MPI_Type_free(&type_); }
    RowType(const RowType&) = delete;
    RowType& operator=(const RowType&) = delete;
    operator MPI_Datatype() const { return type_; }  // NOLINT: stands for the handle

   private:
    MPI_Datatype type_ = MPI_DATATYPE_NULL;
  };

  static int int_of(Index n) {
    if (n > std::numeric_limits<int>::max()) fail("mpi", "more rows than an int counts: " + std::to_string(n));
    return static_cast<int>(n);
  }

  /// Sizes and places of everybody's rows, as MPI takes them.
  struct Layout {
    explicit Layout(Rows rows) {
      Index begin = 0;
      for (const Index n : rows) {
        counts.push_back(int_of(n));
        begins.push_back(int_of(begin));
        begin += n;
      }
    }
    std::vector<int> counts, begins;
  };

  void do_all_gather(void* all, Rows rows, std::size_t row_bytes) override {
    const RowType row(row_bytes);
    const Layout layout(rows);
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, layout.counts.data(), layout.begins.data(), row,
                          world_, &request),
          "MPI_Iallgatherv");
    wait({&request, 1});
  }

  void do_all_to_all(const void* send, Rows send_rows, void* receive, Rows receive_rows,
                     std::size_t row_bytes) override {
    const RowType row(row_bytes);
    const Layout out(send_rows), in(receive_rows);
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ialltoallv(send, out.counts.data(), out.begins.data(), row, receive, in.counts.data(), in.begins.data(),
                         row, world_, &request),
          "MPI_Ialltoallv");
    wait({&request, 1});
  }

  void do_pass_on(const void* send, Index send_rows, void* receive, Index receive_rows,
                  std::size_t row_bytes) override {
    const RowType row(row_bytes);
    const int before = (rank() + size() - 1) % size(), behind = (rank() + 1) % size();
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    check(MPI_Irecv(receive, int_of(receive_rows), row, behind, 0, world_, &requests[0]), "MPI_Irecv");
    check(MPI_Isend(send, int_of(send_rows), row, before, 0, world_, &requests[1]), "MPI_Isend");
    wait(requests);
  }

  /// Tests instead of blocking: an interrupt ends it, and a core that has nothing to do but wait is left to the
  /// computation after a while. (Blocking calls of MPI libraries spin.)
  void wait(std::span<MPI_Request> requests) {
    for (int tries = 0;; ++tries) {
      int done = 0;
      check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE), "MPI_Testall");
      if (done != 0) return;
      if (interrupted_) throw std::runtime_error("the exchange with other processes was given up");
      if (tries > 1000) {
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      } else if (tries > 100) {
        std::this_thread::yield();
      }
    }
  }

  MPI_Comm world_ = MPI_COMM_NULL;
  bool owner_;
  std::atomic<bool> interrupted_{false};
};

}  // namespace couplet::inline COUPLET_ABI::distributed
