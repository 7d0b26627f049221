// The bytes do not depend on the user's floating-point flags: this file is compiled as with -ffast-math (its own ABI
// namespace included) and must give the checksums of an ordinary build.
#define __FAST_MATH__ 1
#if defined(__clang__)
#pragma clang fp reassociate(on) contract(fast)
#else
#pragma GCC optimize("Ofast")
#endif
#include <gtest/gtest.h>

#include "couplet/image/checksum.hpp"
#include "couplet/image/normalize.hpp"
#include "couplet/image/random_crop.hpp"
#include "couplet/image/resize.hpp"
#include "image/golden.hpp"

namespace couplet::image {
namespace {

TEST(FastMath, LeavesResizedBytesAlone) {
  const std::uint32_t expected[6][2] = {{596120745u, 596120745u},   {1347222781u, 2371417667u},
                                        {1753505500u, 3740137469u}, {1614969931u, 343937778u},
                                        {1989309041u, 1989309041u}, {373965311u, 205375912u}};
  const Image image = test::noise_image(157, 211, 42);
  for (int filter = 0; filter < 6; ++filter)
    for (int engine = 0; engine < 2; ++engine) {
      const ResizeOptions options{Filter(filter), PassOrder::horizontal_first, ResizeEngine(engine)};
      EXPECT_EQ(crc32(resize(image, 61, 83, options).pixels), expected[filter][engine]) << name(Filter(filter));
    }
}

TEST(FastMath, LeavesNormalizedValuesAlone) {
  const std::uint32_t expected[3] = {2292731827u, 4111829523u, 2292731827u};
  for (int pipeline = 0; pipeline < 3; ++pipeline) {
    TransformConfig config = clip_transform_config();
    config.pipeline = Pipeline(pipeline);
    const NormalizeTable table = normalize_table(config);
    std::uint32_t sum = 0;
    for (const auto& channel : table) sum = crc32(test::bytes_of(channel), sum);
    EXPECT_EQ(sum, expected[pipeline]) << pipeline;
  }
}

TEST(FastMath, LeavesRandomCropsAlone) {
  std::uint32_t sum = 0;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::vector<double> u;
    for (const std::uint8_t byte : test::noise(random_crop_uniforms, seed)) u.push_back(byte / 256.0);
    const Window w = random_crop_window({100 + int(seed), 150}, u, {.scale = {0.2, 1.0}});
    for (const int value : {w.y, w.x, w.height, w.width}) sum = sum * 31 + static_cast<std::uint32_t>(value);
  }
  EXPECT_EQ(sum, 1862169851u);
}

}  // namespace
}  // namespace couplet::image
