#include "couplet/distributed/launcher.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace {

using namespace couplet;

/// No launcher's variables but those that a test sets.
class Launcher : public testing::Test {
 protected:
  Launcher() {
    for (const char* const name : names) {
      const char* const value = std::getenv(name);
      before_.emplace_back(value != nullptr ? std::optional<std::string>(value) : std::nullopt);
      unsetenv(name);
    }
  }
  ~Launcher() override {
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (before_[i]) {
        setenv(names[i], before_[i]->c_str(), 1);
      } else {
        unsetenv(names[i]);
      }
    }
  }
  static constexpr const char* names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                          "SLURM_STEP_NUM_TASKS", "PMIX_RANK"};

 private:
  std::vector<std::optional<std::string>> before_;
};

TEST_F(Launcher, NobodyMeansOneProcess) { EXPECT_EQ(distributed::launched_processes(), 1); }

TEST_F(Launcher, EachTellsTheNumberInItsOwnVariable) {
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"}) {
    setenv(name, "4", 1);
    EXPECT_EQ(distributed::launched_processes(), 4) << name;
    setenv(name, "nonsense", 1);
    EXPECT_EQ(distributed::launched_processes(), 1) << name;
    unsetenv(name);
  }
}

TEST_F(Launcher, SlurmCountsWhereItStartsMpi) {
  setenv("SLURM_STEP_NUM_TASKS", "8", 1);
  EXPECT_EQ(distributed::launched_processes(), 1) << "a batch script, not srun --mpi=pmix";
  setenv("PMIX_RANK", "0", 1);
  EXPECT_EQ(distributed::launched_processes(), 8);
}

}  // namespace
