#include "couplet/data/upsampled.hpp"

#include <gtest/gtest.h>

#include <map>

#include "couplet/data/scenes.hpp"

namespace couplet::data {
namespace {

TEST(Upsampled, RepeatsSamplesEvenly) {
  const auto whole = std::make_shared<SceneDataset>(SceneOptions{.seed = 2, .count = 10, .image_size = 16});
  for (const double factor : {1.0, 1.5, 2.0, 3.25}) {
    const auto more = upsampled(whole, factor);
    EXPECT_EQ(more->size(), std::llround(10 * factor));
    std::map<std::string, int> times;
    for (Index i = 0; i < more->size(); ++i) ++times[more->annotation(i).key];
    EXPECT_EQ(times.size(), 10U) << factor;
    for (const auto& [key, count] : times) {
      EXPECT_GE(count, std::floor(factor)) << key;
      EXPECT_LE(count, std::ceil(factor)) << key;
    }
  }
  const auto more = upsampled(whole, 2.0);
  EXPECT_EQ(more->sample(7).captions, whole->sample(3).captions);
  EXPECT_EQ(more->class_names(), whole->class_names());
  EXPECT_EQ(more->flips_allowed(), whole->flips_allowed());
  EXPECT_THROW((void)more->sample(20), std::invalid_argument);
}

TEST(Upsampled, RefusesFactorsThatHideSamples) {
  const auto whole = std::make_shared<SceneDataset>(SceneOptions{.seed = 2, .count = 10, .image_size = 16});
  EXPECT_THROW((void)upsampled(whole, 0.5), std::invalid_argument);
  EXPECT_THROW((void)upsampled(whole, 1e5), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
