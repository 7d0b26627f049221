#include "couplet/data/sample.hpp"

#include <gtest/gtest.h>

namespace couplet::data {
namespace {

TEST(Sample, IsEmptyAtFirst) {
  const Sample sample;
  EXPECT_TRUE(sample.key.empty() && sample.image_bytes.empty() && sample.captions.empty());
  EXPECT_EQ(sample.image.width, 0);
  EXPECT_FALSE(sample.label.has_value());
}

}  // namespace
}  // namespace couplet::data
