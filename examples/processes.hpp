#pragma once
/// A program whose processes work together where mpirun started several, and that is one program all the same: the
/// first process prints, and a failure of any ends them all with one message.
#include <chrono>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "couplet/distributed/launcher.hpp"
#if defined(COUPLET_WITH_MPI)
#include "couplet/distributed/mpi_communicator.hpp"
#endif
#include "program.hpp"

namespace program {

/// Keeps what is printed to standard output and standard error while it lives.
class Silence {
 public:
  Silence() : out_(std::cout.rdbuf(printed_.rdbuf())), error_(std::cerr.rdbuf(errors_.rdbuf())) {}
  ~Silence() {
    std::cout.rdbuf(out_);
    std::cerr.rdbuf(error_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  [[nodiscard]] std::string errors() const { return errors_.str(); }

 private:
  std::ostringstream printed_, errors_;
  std::streambuf* out_;
  std::streambuf* error_;
};

#if defined(COUPLET_WITH_MPI)
/// body(communicator) in one process of several; its exit status.
template <class Body>
int run_process(couplet::distributed::MpiCommunicator& world, const Body& body) {
  if (world.rank() == 0) return body(world);
  std::string errors;
  int status = 0;
  {
    const Silence silence;
    status = body(world);
    errors = silence.errors();
  }
  if (status == 0) return 0;
  // What fails everywhere, a wrong option say, is the first process's to report: it has ended all before a second is
  // over.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  std::cerr << "process " << world.rank() << " of " << world.size() << ": " << errors << std::flush;
  return status;
}
#endif

/// body(communicator), in each process of an MPI job or in this one alone; the exit status.
template <class Body>
int run_processes(const char* name, const Body& body) {
  try {
    if (couplet::distributed::launched_processes() == 1) return body(couplet::distributed::alone());
#if defined(COUPLET_WITH_MPI)
    couplet::distributed::MpiCommunicator world;
    const int status = run_process(world, body);
    if (status != 0) world.end_job(status);
    return status;
#else
    throw std::runtime_error("started as one of several processes, but built without MPI: install libopenmpi-dev and " +
                             std::string("configure with -DCOUPLET_MPI=ON"));
#endif
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

/// What a process exchanged with the others per step.
inline void print_traffic(const couplet::distributed::Communicator& communicator, std::int64_t steps) {
  if (communicator.is_alone() || steps < 1) return;
  using couplet::distributed::Purpose;
  const auto per_step = [&](Purpose purpose) {
    return static_cast<double>(communicator.traffic().bytes_for(purpose)) / static_cast<double>(steps) / 1e6;
  };
  std::cout << format("received per process and step: %.3f MB for the loss, %.3f MB of gradients\n",
                      per_step(Purpose::features), per_step(Purpose::gradients));
}

}  // namespace program
