#include "couplet/core/workspace.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace {

using couplet::Workspace;

TEST(Workspace, GivesAlignedMemoryThatDoesNotOverlap) {
  Workspace workspace;
  Workspace::Scope scope(workspace);
  float* a = workspace.take<float>(3);
  float* b = workspace.take<float>(100000);
  float* c = workspace.take<float>(1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b) % 64, 0U);
  a[2] = 1;
  b[99999] = 2;
  c[0] = 3;
  EXPECT_EQ(a[2], 1);
  EXPECT_EQ(b[99999], 2);
}

TEST(Workspace, ScopesGiveBackInOrder) {
  Workspace workspace;
  Workspace::Scope outer(workspace);
  float* first = workspace.take<float>(16);
  float* inner_memory = nullptr;
  {
    Workspace::Scope inner(workspace);
    inner_memory = workspace.take<float>(16);
  }
  EXPECT_EQ(workspace.take<float>(16), inner_memory);
  EXPECT_NE(first, inner_memory);
}

TEST(Workspace, AllocatesNothingTheSecondTime) {
  Workspace workspace;
  const auto work = [&] {
    Workspace::Scope scope(workspace);
    for (int i = 1; i < 10; ++i) (void)workspace.take<double>(20000 * i);
  };
  work();
  const std::size_t capacity = workspace.capacity();
  for (int i = 0; i < 5; ++i) work();
  EXPECT_EQ(workspace.capacity(), capacity);
}

TEST(Workspace, RefusesSizesThatOverflow) {
  Workspace workspace;
  EXPECT_THROW((void)workspace.take<double>(couplet::Index{1} << 62), std::invalid_argument);
}

TEST(Workspace, ChildrenAreIndependent) {
  Workspace workspace;
  workspace.prepare_children(2);
  Workspace::Scope scope(workspace.child(0));
  float* a = workspace.child(0).take<float>(8);
  float* b = workspace.child(1).take<float>(8);
  EXPECT_NE(a, b);
}

}  // namespace
