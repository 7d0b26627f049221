#include "couplet/data/keyed_random.hpp"

#include <gtest/gtest.h>

#include <set>

namespace couplet::data {
namespace {

std::uint64_t first(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample, Purpose purpose) {
  return keyed_random(seed, epoch, sample, purpose).below(std::uint64_t{1} << 62);
}

TEST(KeyedRandom, EveryPartOfTheKeyMatters) {
  std::set<std::uint64_t> draws;
  for (std::uint64_t seed : {0u, 1u}) {
    for (std::uint64_t epoch : {0u, 1u}) {
      for (std::uint64_t sample : {0u, 1u}) {
        for (Purpose purpose : {Purpose::order, Purpose::caption}) draws.insert(first(seed, epoch, sample, purpose));
      }
    }
  }
  EXPECT_EQ(draws.size(), 16u);
}

TEST(KeyedRandom, TheSameKeyGivesTheSameNumbers) {
  EXPECT_EQ(first(7, 3, 11, Purpose::transform), first(7, 3, 11, Purpose::transform));
  EXPECT_EQ(keyed_random(7, 3, 11, Purpose::transform).bits(), 3748095755U);
}

}  // namespace
}  // namespace couplet::data
