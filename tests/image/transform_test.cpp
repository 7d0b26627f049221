#include "couplet/image/transform.hpp"

#include <gtest/gtest.h>

#include "couplet/image/checksum.hpp"
#include "couplet/image/decode.hpp"
#include "image/golden.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::image {
namespace {

using test::crc, test::equal, test::has, test::text;

struct Counts {
  int equal = 0, total = 0;
  void add(bool same, const std::string& name) {
    ++total;
    equal += same ? 1 : 0;
    EXPECT_TRUE(same) << name;
  }
};

/// The transform of a golden case.
TransformConfig golden_config(const io::Json& entry) {
  const std::string folder = test::golden_images() + "/" + text(entry, "config");
  TransformConfig config;
  if (text(entry, "library") == "open_clip") {
    // preprocess_cfg.json is the whole configuration; open_clip_config.json lacks the fill colour.
    const std::string file = text(entry, "config") + "/preprocess_cfg.json";
    const io::Json whole = test::golden_json(file);
    io::JsonWriter json;
    json.begin_object().key("preprocess_cfg").value(whole).end_object();
    config = parse_open_clip_config(io::JsonField(io::Json::parse(json.str(), file), file));
    TransformConfig saved = read_open_clip_config(folder);
    saved.fill_color = config.fill_color;
    EXPECT_EQ(saved, config) << folder;
  } else {
    config = read_preprocessor_config(folder);
    if (text(entry, "backend") == "torchvision") config.pipeline = Pipeline::transformers_torchvision;
  }
  return config;
}

/// Cases that need the file's own mode inside Pillow: CMYK and 16-bit grey resized as such, colours of a palette as
/// padding.
bool not_modelled(const io::Json& entry) {
  const std::string input = text(entry, "input"), config = text(entry, "config");
  if (text(entry, "library") != "open_clip") return input == "png_l16.png";
  return input == "png_l16.png" || input == "jpeg_cmyk.jpg" || (input == "png_p8.png" && config.ends_with("48_fill0"));
}

void check_pixels(const io::Json& entry, const TransformConfig& config, const test::GoldenTensors& tensors,
                  const std::string& suffix, Counts& u8, Counts& f32) {
  const Transform transform(config);
  const Image image = decode_file(test::golden_images() + "/input/" + text(entry, "input"), transform.decode_options());
  const Image resized = transform.resize_and_crop(image);
  std::vector<float> values(resized.pixels.size());
  transform(image, values);
  const std::string name = text(entry, "case") + suffix;
  const std::string tensor = suffix.empty() ? "u8" : "u8_horizontal_first";
  bool same = suffix.empty() ? crc32(resized.pixels) == crc(entry, "u8_crc32") : true;
  if (has(entry, tensor.c_str())) same = same && equal(resized.pixels, tensors.bytes(text(entry, tensor.c_str())));
  u8.add(same, name + "/u8");
  const char* const sum = suffix.empty() ? "f32_crc32" : "f32_horizontal_first_crc32";
  same = crc32(test::bytes_of(values)) == crc(entry, sum);
  if (suffix.empty() && has(entry, "f32"))
    same = same && equal(test::bytes_of(values), tensors.bytes(text(entry, "f32")));
  f32.add(same, name + "/f32");
}

TEST(Transform, EqualsTheGoldenPipelinesByteForByte) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const io::Json index = test::golden_json("index.json");
  const test::GoldenTensors tensors("pipelines.safetensors");
  std::map<std::string, std::pair<Counts, Counts>> counts;
  int naflex = 0, skipped = 0, refused = 0;
  for (const io::Json& entry : index.find("pipelines")->items()) {
    if (text(entry, "config").find("naflex") != std::string::npos) {
      ++naflex;
    } else if (has(entry, "error") && text(entry, "error").find("must be > 0") != std::string::npos) {
      const Transform transform(golden_config(entry));
      const Image image = decode_file(test::golden_images() + "/input/" + text(entry, "input"));
      EXPECT_THROW(static_cast<void>(transform.resize_and_crop(image)), std::invalid_argument) << text(entry, "case");
      ++refused;
    } else if (has(entry, "error") || not_modelled(entry)) {
      ++skipped;
    } else {
      auto& [u8, f32] = counts[text(entry, "library") + " " + text(entry, "backend")];
      TransformConfig config = golden_config(entry);
      config.pass_order = PassOrder::pillow13;
      check_pixels(entry, config, tensors, "", u8, f32);
      if (has(entry, "u8_horizontal_first")) {
        config.pass_order = PassOrder::horizontal_first;
        check_pixels(entry, config, tensors, " horizontal first", u8, f32);
      }
    }
  }
  for (const auto& [kind, both] : counts) {
    std::cout << kind << ": u8 " << both.first.equal << " of " << both.first.total << ", f32 " << both.second.equal
              << " of " << both.second.total << " equal\n";
  }
  std::cout << naflex << " NaFlex cases and " << skipped << " others not modelled, " << refused << " refused\n";
  EXPECT_EQ(counts.size(), 3u);
}

TEST(Transform, ReadsAnswersAndDescribesTheDefaults) {
  const Transform clip(clip_transform_config(32)), siglip(siglip_transform_config(48));
  EXPECT_EQ(clip.height(), 32);
  EXPECT_EQ(clip.width(), 32);
  EXPECT_EQ(siglip.values(), 3u * 48u * 48u);
  EXPECT_EQ(clip.describe(),
            "CLIPImageProcessor (transformers, PIL): shortest edge 32 bicubic, center crop (32, 32), rescale "
            "0.00392156862745098, mean (0.48145466, 0.4578275, 0.40821073), std (0.26862954, 0.26130258, 0.27577711)");
  EXPECT_EQ(siglip.describe(),
            "SiglipImageProcessor (transformers, PIL): squash to (48, 48) bicubic, rescale 0.00392156862745098, mean "
            "(0.5, 0.5, 0.5), std (0.5, 0.5, 0.5)");
}

TEST(Transform, SaysWhenTheSizeDependsOnTheImage) {
  TransformConfig config = clip_transform_config(32);
  config.do_center_crop = false;
  const Transform transform(config);
  EXPECT_EQ(transform.values(), 0u);
  EXPECT_EQ(transform.output_size({64, 100}), (Size{32, 50}));
  const Image image = test::noise_image(64, 100, 1);
  std::vector<float> out(3 * 32 * 50);
  EXPECT_NO_THROW(transform(image, out));
  EXPECT_THROW(transform(image, out.data()), std::invalid_argument);
  out.pop_back();
  EXPECT_THROW(transform(image, out), std::invalid_argument);
}

TEST(Transform, NormalizesAGreyImageByHand) {
  Image image{3, 2, std::vector<std::uint8_t>(18, 255)};
  image.pixels[0] = 0;
  TransformConfig config = siglip_transform_config(1);
  config.do_resize = false;
  std::vector<float> out(18);
  Transform{config}(image, out);
  EXPECT_EQ(out[0], -1.0f);  // (0 / 255 - 0.5) / 0.5
  for (std::size_t i = 1; i < 18; ++i) EXPECT_EQ(out[i], 1.0f) << i;
}

TEST(Transform, PadsSmallImagesAndCutsLargeOnesInTheMiddle) {
  TransformConfig config = clip_transform_config(4);
  config.do_resize = config.do_rescale = config.do_normalize = false;
  Image dot{1, 1, {10, 20, 30}};
  std::vector<float> out(48);
  Transform{config}(dot, out.data());
  EXPECT_EQ(out[2 * 4 + 2], 10.0f);  // ceil((4 - 1) / 2) zeros before
  EXPECT_EQ(out[16 + 2 * 4 + 2], 20.0f);
  EXPECT_EQ(out[0], 0.0f);
  config.pipeline = Pipeline::transformers_torchvision;
  Transform{config}(dot, out.data());
  EXPECT_EQ(out[1 * 4 + 1], 10.0f);  // floor
  const Image cut = Transform(config).resize_and_crop(test::noise_image(9, 7, 3));
  EXPECT_EQ(cut, crop(test::noise_image(9, 7, 3), {2, 1, 4, 4}));
}

TEST(Transform, CompositesAlphaOnWhiteOrDropsItAfterTheResize) {
  Image image{1, 1, {100, 0, 255}, {51}};
  TransformConfig config = clip_transform_config(1);
  EXPECT_EQ(Transform(config).resize_and_crop(image).pixels, (std::vector<std::uint8_t>{224, 204, 255}));
  EXPECT_EQ(Transform(open_clip_transform_config({1, 1})).resize_and_crop(image).pixels,
            (std::vector<std::uint8_t>{100, 0, 255}));
  EXPECT_EQ(Transform(config).decode_options().transparency, Transparency::white);
  EXPECT_EQ(Transform(open_clip_transform_config()).decode_options().transparency, Transparency::keep);
}

TEST(Transform, SavesAndLoadsTheSameTransform) {
  const test::TemporaryDirectory folder;
  TransformConfig config = clip_transform_config(40);
  config.crop_size = {32, 36};
  config.resample = Filter::bilinear;
  Transform(config).save(folder.path());
  EXPECT_EQ(Transform::from_preprocessor_config(folder.path()).config(), config);
  EXPECT_EQ(Transform::from_preprocessor_config(folder.path("preprocessor_config.json")).config(), config);
}

TEST(Transform, RefusesConfigurationsThatMeanNothing) {
  const auto refused = [](auto change) {
    TransformConfig config;
    change(config);
    EXPECT_THROW(Transform{config}, std::invalid_argument);
  };
  refused([](TransformConfig& c) { c.size = {0, 0}; });
  refused([](TransformConfig& c) { c.crop_size = {16385, 1}; });
  refused([](TransformConfig& c) { c.image_std[1] = 0.0; });
  refused([](TransformConfig& c) { c.rescale_factor = 0.0; });
  refused([](TransformConfig& c) { c.fill_color = 256; });
  refused([](TransformConfig& c) { c.resize_mode = ResizeMode::longest; });
  EXPECT_THROW(static_cast<void>(Transform().resize_and_crop(Image{})), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::image
