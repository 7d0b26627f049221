#include "couplet/image/naflex.hpp"

#include <gtest/gtest.h>

#include "couplet/image/checksum.hpp"
#include "couplet/image/decode.hpp"
#include "image/golden.hpp"

namespace {

using namespace couplet;
using namespace couplet::image;
using test::crc;
using test::number;
using test::text;

TEST(Naflex, SizesByHand) {
  EXPECT_EQ(naflex_size({100, 100}, 16, 256), (Size{256, 256}));  // small images are enlarged
  EXPECT_EQ(naflex_size({1, 300}, 32, 64), (Size{32, 2048}));
  EXPECT_EQ(naflex_size({300, 1}, 14, 1), (Size{14, 14}));
  EXPECT_THROW((void)naflex_size({0, 1}, 16, 256), std::invalid_argument);
}

TEST(Naflex, SizesEqualTransformers) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const io::Json geometry = test::golden_json("geometry.json");
  ASSERT_FALSE(geometry.find("naflex")->items().empty());
  for (const io::Json& entry : geometry.find("naflex")->items()) {
    const Size size = naflex_size({number(entry, "height"), number(entry, "width")}, number(entry, "patch_size"),
                                  number(entry, "max_num_patches"));
    EXPECT_EQ(size.height, entry.find("out")->items()[0].as_integer());
    EXPECT_EQ(size.width, entry.find("out")->items()[1].as_integer());
  }
}

/// pixel_values (max_patches, 3 p p) of transformers: patches in rows of (row, column, channel), then zeros.
std::vector<float> patches_of(const std::vector<float>& pixels, Size size, int p, int max_patches) {
  std::vector<float> out(static_cast<std::size_t>(max_patches) * static_cast<std::size_t>(3 * p * p), 0.0F);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const int patch = y / p * (size.width / p) + x / p;
        out[static_cast<std::size_t>(patch * 3 * p * p + ((y % p) * p + x % p) * 3 + c)] =
            pixels[static_cast<std::size_t>((c * size.height + y) * size.width + x)];
      }
    }
  }
  return out;
}

TEST(Naflex, PixelsEqualTransformersByteForByte) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const io::Json index = test::golden_json("index.json");
  int equal = 0, total = 0;
  for (const io::Json& entry : index.find("pipelines")->items()) {
    if (text(entry, "config").find("naflex") == std::string::npos || test::has(entry, "error")) continue;
    const std::string path = test::golden_images() + "/" + text(entry, "config") + "/preprocessor_config.json";
    const io::Json json = io::Json::parse(io::read_file(path, 1 << 20), path);
    NaflexConfig config = parse_naflex_config(io::JsonField(json, path), naflex_config(16, 256));
    config.transform.pass_order = PassOrder::pillow13;
    if (text(entry, "backend") == "torchvision") config.transform.pipeline = Pipeline::transformers_torchvision;
    const Image picture = decode_file(test::golden_images() + "/input/" + text(entry, "input"));
    const Transform transform = naflex_transform(config, {picture.height, picture.width});
    std::vector<float> pixels(transform.values());
    transform(picture, pixels);
    const std::vector<float> patches =
        patches_of(pixels, {transform.height(), transform.width()}, config.patch_size, config.max_patches);
    const bool same = crc32(test::bytes_of(patches)) == crc(entry, "f32_crc32");
    EXPECT_TRUE(same) << text(entry, "case");
    equal += same ? 1 : 0;
    ++total;
  }
  std::cout << equal << " of " << total << " NaFlex cases equal\n";
  EXPECT_GT(total, 0);
}

TEST(Naflex, ReadsWhatItWritesAndRefusesOtherProcessors) {
  NaflexConfig config = naflex_config(14, 100);
  config.transform.image_mean = {0.25, 0.5, 0.75};
  const auto parse = [](const std::string& json) {
    return parse_naflex_config(io::JsonField(io::Json::parse(json, "p.json"), "p.json"), naflex_config(16, 256));
  };
  const NaflexConfig again = parse(naflex_config_json(config));
  EXPECT_EQ(again.patch_size, 14);
  EXPECT_EQ(again.max_patches, 100);
  EXPECT_EQ(again.transform, config.transform);
  EXPECT_EQ(parse(R"({"image_processor_type": "Siglip2ImageProcessorFast"})").max_patches, 256);
  EXPECT_THROW((void)parse(R"({"image_processor_type": "SiglipImageProcessor"})"), file_error);
  EXPECT_THROW((void)parse(R"({"image_processor_type": "Siglip2ImageProcessor", "do_resize": false})"), file_error);
  EXPECT_THROW((void)parse(R"({"image_processor_type": "Siglip2ImageProcessor", "patch_size": 0})"), file_error);
}

}  // namespace
