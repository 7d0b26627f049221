#include "couplet/core/parallel.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using couplet::Index;
using couplet::parallel_for;
using couplet::ThreadLimit;
using couplet::Workspace;

TEST(Parallel, CallsEveryIndexOnce) {
  for (const Index n : {0, 1, 7, 1000}) {
    std::vector<int> calls(static_cast<std::size_t>(n), 0);
    parallel_for(n, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
    for (const int count : calls) EXPECT_EQ(count, 1);
  }
}

TEST(Parallel, GivesEveryThreadAWorkspaceOfItsOwn) {
  Workspace workspace;
  std::vector<int> sums(200, 0);
  parallel_for(workspace, 200, [&](Index i, Workspace& local) {
    Workspace::Scope scope(local);
    int* memory = local.take<int>(1000);
    for (int k = 0; k < 1000; ++k) memory[k] = static_cast<int>(i);
    for (int k = 0; k < 1000; ++k) sums[static_cast<std::size_t>(i)] += memory[k];
  });
  for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], 1000 * static_cast<int>(i));
}

TEST(Parallel, ExceptionsReachTheCaller) {
  Workspace workspace;
  EXPECT_THROW(parallel_for(100,
                            [](Index i) {
                              if (i == 57) throw std::runtime_error("57");
                            }),
               std::runtime_error);
  EXPECT_THROW(parallel_for(workspace, 100,
                            [](Index i, Workspace&) {
                              if (i >= 0) throw std::bad_alloc();
                            }),
               std::bad_alloc);
}

#if defined(__SANITIZE_ADDRESS__)
#define COUPLET_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUPLET_TEST_SANITIZED 1
#endif
#endif

TEST(Parallel, OutOfMemoryInsideARegionReachesTheCaller) {
#ifdef COUPLET_TEST_SANITIZED
  GTEST_SKIP() << "the sanitizer ends the program when memory runs out";
#endif
  Workspace workspace;
  EXPECT_THROW(parallel_for(workspace, 8, [](Index, Workspace& local) { (void)local.take<char>(Index{1} << 60); }),
               std::bad_alloc);
}

TEST(Parallel, NestedLoopsRunOnTheCallingThread) {
  std::vector<int> inner_threads(8, 0);
  parallel_for(8, [&](Index i) { inner_threads[static_cast<std::size_t>(i)] = couplet::available_threads(); });
  if (couplet::available_threads() > 1) {
    for (const int threads : inner_threads) EXPECT_EQ(threads, 1);
  }
}

TEST(Parallel, ALimitOfTheCallerIsHonoured) {
  const int before = couplet::available_threads();
  {
    ThreadLimit one(1);
    EXPECT_EQ(couplet::available_threads(), 1);
    const auto caller = std::this_thread::get_id();
    parallel_for(16, [&](Index) { EXPECT_EQ(std::this_thread::get_id(), caller); });
    ThreadLimit many(1000);
    EXPECT_EQ(couplet::available_threads(), before);
  }
  EXPECT_EQ(couplet::available_threads(), before);
}

}  // namespace
