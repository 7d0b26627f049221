#include "couplet/image/normalize.hpp"

#include <gtest/gtest.h>

namespace couplet::image {
namespace {

TEST(Normalize, FollowsEachReferencesOrderOfOperations) {
  TransformConfig config = clip_transform_config();
  for (const Pipeline pipeline :
       {Pipeline::transformers_pil, Pipeline::transformers_torchvision, Pipeline::open_clip}) {
    config.pipeline = pipeline;
    const NormalizeTable table = normalize_table(config);
    for (std::size_t c = 0; c < 3; ++c)
      for (int u8 = 0; u8 < 256; ++u8) {
        const volatile float mean = float(config.image_mean[c]), std = float(config.image_std[c]);
        volatile float x = 0, y = 0;
        if (pipeline == Pipeline::transformers_pil) x = float(double(u8) * config.rescale_factor);
        if (pipeline == Pipeline::open_clip) x = float(u8) / 255.0f;
        if (pipeline == Pipeline::transformers_torchvision) {
          const volatile float inverse = float(1.0 / config.rescale_factor);
          const volatile float m = mean * inverse, s = std * inverse;
          y = float(u8) - m;
          y = y / s;
        } else {
          y = x - mean;
          y = y / std;
        }
        EXPECT_EQ(table[c][std::size_t(u8)], y) << int(pipeline) << " " << c << " " << u8;
      }
  }
}

TEST(Normalize, LeavesOutWhatIsSwitchedOff) {
  TransformConfig config = clip_transform_config();
  config.do_normalize = false;
  EXPECT_EQ(normalize_table(config)[0][255], 1.0f);
  config.do_rescale = false;
  for (const Pipeline pipeline : {Pipeline::transformers_pil, Pipeline::transformers_torchvision}) {
    config.pipeline = pipeline;
    EXPECT_EQ(normalize_table(config)[2][77], 77.0f);
  }
}

TEST(Normalize, WritesPlanes) {
  TransformConfig config;
  config.do_normalize = config.do_rescale = false;
  const std::vector<std::uint8_t> pixels{1, 2, 3, 4, 5, 6};
  std::vector<float> out(6);
  normalize(pixels, normalize_table(config), out.data());
  EXPECT_EQ(out, (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

}  // namespace
}  // namespace couplet::image
