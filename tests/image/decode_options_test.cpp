#include "couplet/image/decode_options.hpp"

#include <gtest/gtest.h>

namespace couplet::image {
namespace {

TEST(DecodeOptions, DefaultsFollowTransformersAndTheDocumentedLimits) {
  const DecodeOptions options;
  EXPECT_EQ(options.transparency, Transparency::white);
  EXPECT_FALSE(options.apply_exif_orientation);
  EXPECT_EQ(options.limits.side, 16384);
  EXPECT_EQ(options.limits.pixels, 40'000'000);
  EXPECT_EQ(options.limits.file_bytes, 64u * 1024u * 1024u);
}

}  // namespace
}  // namespace couplet::image
