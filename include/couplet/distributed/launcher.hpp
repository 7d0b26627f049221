#pragma once
/// Whether this process was started as one of several, as told by the environment that mpirun, mpiexec and srun set.
/// A program asks before it initialises MPI, so that it runs without MPI's start-up where nobody launched it.
#include <cstdlib>
#include <string>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::distributed {

/// How many processes the launcher started; 1: there was none.
inline int launched_processes() {
  // Open MPI; MPICH, Intel MPI and Slurm's PMI; MVAPICH; Slurm with PMIx, which names a size of its own.
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"}) {
    if (const char* const value = std::getenv(name)) return std::atoi(value) > 1 ? std::atoi(value) : 1;
  }
  const char* const tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  if (tasks != nullptr && std::getenv("PMIX_RANK") != nullptr) return std::atoi(tasks) > 1 ? std::atoi(tasks) : 1;
  return 1;
}

}  // namespace couplet::inline COUPLET_ABI::distributed
