#pragma once
/// Counts what a piece of code allocates. Included by one file of a test program: it replaces operator new.
#include <atomic>
#include <cstdlib>
#include <new>

namespace couplet::test {

inline std::atomic<long> allocations{0};

/// Calls of operator new on all threads while f() runs.
template <class F>
long allocations_of(F&& f) {
  const long before = allocations.load();
  f();
  return allocations.load() - before;
}

}  // namespace couplet::test

#if defined(__SANITIZE_ADDRESS__)
#define COUPLET_TEST_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUPLET_TEST_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef COUPLET_TEST_COUNTS_ALLOCATIONS
#define COUPLET_TEST_COUNTS_ALLOCATIONS 1

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored \
    "-Wmismatched-new-delete"  // g++ sees free() inlined, and not the malloc() of its operator
#endif

void* operator new(std::size_t bytes) {
  ++couplet::test::allocations;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++couplet::test::allocations;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif
