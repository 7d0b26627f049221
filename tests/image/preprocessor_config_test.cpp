#include "couplet/image/preprocessor_config.hpp"

#include <gtest/gtest.h>

#include "image/golden.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::image {
namespace {

TransformConfig parse(const std::string& text, const std::optional<TransformConfig>& fallback = std::nullopt) {
  return parse_preprocessor_config(io::JsonField(io::Json::parse(text, "p.json"), "p.json"), fallback);
}
TransformConfig parse_open_clip(const std::string& text) {
  return parse_open_clip_config(io::JsonField(io::Json::parse(text, "o.json"), "o.json"));
}
std::string config_refusal(const std::string& text) {
  return test::file_error_of([&] { parse(text); });
}

TEST(PreprocessorConfig, TakesTheDefaultsOfTheNamedClass) {
  EXPECT_EQ(parse("{}"), clip_transform_config());
  EXPECT_EQ(parse("{}", siglip_transform_config(64)), siglip_transform_config(64));
  EXPECT_EQ(parse(R"({"processor_class": "SiglipProcessor"})"), siglip_transform_config());
  EXPECT_EQ(parse(R"({"image_processor_type": "SiglipImageProcessorFast"})"), siglip_transform_config());
  EXPECT_EQ(parse(R"({"feature_extractor_type": "CLIPFeatureExtractor", "unknown": [1]})"), clip_transform_config());
  EXPECT_EQ(parse(R"({"image_processor": {"image_processor_type": "SiglipImageProcessor"}, "size": 7})"),
            siglip_transform_config());
  EXPECT_EQ(config_refusal(R"({"image_processor_type": "Siglip2ImageProcessor"})"),
            "p.json: image_processor_type: expected CLIPImageProcessor or SiglipImageProcessor, found "
            "\"Siglip2ImageProcessor\"");
}

TEST(PreprocessorConfig, ReadsEverySpellingOfASize) {
  EXPECT_EQ(parse(R"({"size": 96})").size, (Size{96, 96}));
  EXPECT_EQ(parse(R"({"size": 96})").resize_mode, ResizeMode::shortest_edge);
  EXPECT_EQ(parse(R"({"size": [24, 40]})").size, (Size{24, 40}));
  EXPECT_EQ(parse(R"({"size": [24, 40]})").resize_mode, ResizeMode::squash);
  EXPECT_EQ(parse(R"({"size": {"height": 3, "width": 4}})").size, (Size{3, 4}));
  EXPECT_EQ(parse(R"({"size": {"shortest_edge": 5}, "crop_size": 4})").crop_size, (Size{4, 4}));
  EXPECT_EQ(parse(R"({"image_processor_type": "SiglipImageProcessor", "size": 32})").resize_mode,
            ResizeMode::shortest_edge);
  EXPECT_EQ(config_refusal(R"({"size": {"shortest_edge": 5, "longest_edge": 9}})"),
            "p.json: size: longest_edge beside shortest_edge is not supported");
  EXPECT_EQ(config_refusal(R"({"size": {"height": 5}})"), "p.json: size.width: missing");
  EXPECT_EQ(config_refusal(R"({"size": [1, 2, 3]})"), "p.json: size: expected [height, width], found 3 numbers");
}

TEST(PreprocessorConfig, RefusesValuesOutOfRangeByName) {
  for (const char* const value :
       {"0", "-1", "2147483648", "9007199254740993", "1e999", "1.5", "\"224\"", "true", "[]", "[[1]]"})
    for (const char* const key :
         {"size", "crop_size", "resample", "rescale_factor", "image_mean", "image_std", "do_resize"}) {
      const std::string text = std::string("{\"") + key + "\": " + value + "}";
      std::string said;
      try {
        const TransformConfig config = parse(text);
        EXPECT_GE(config.size.height, 1) << text;
        EXPECT_GT(config.image_std[0], 0.0) << text;
      } catch (const file_error& error) {
        said = error.what();
        EXPECT_NE(said.find("p.json"), std::string::npos) << said;
      }
      const bool number = std::string_view(value) == "0" || std::string_view(value) == "-1" ||
                          std::string_view(value) == "1.5" || std::string_view(value).size() > 9 ||
                          std::string_view(value) == "true";
      if (!number) {
        EXPECT_NE(said, "") << text;
      }
    }
  EXPECT_NE(config_refusal(R"({"image_std": [0.5, 0.0, 0.5]})"), "");
  EXPECT_NE(config_refusal(R"({"image_mean": [0.5, 0.5]})"), "");
  EXPECT_NE(config_refusal(R"({"resample": 6})"), "");
  EXPECT_NE(config_refusal(R"([])"), "");
  EXPECT_EQ(config_refusal(R"({"image_std": 0.5, "do_resize": null, "do_convert_rgb": null})"), "");
}

TEST(PreprocessorConfig, ReadsOpenClip) {
  const TransformConfig config = parse_open_clip(
      R"({"model_cfg": {"vision_cfg": {"image_size": [40, 57]}},
          "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear", "resize_mode": "longest"}})");
  EXPECT_EQ(config.size, (Size{40, 57}));
  EXPECT_EQ(config.crop_size, (Size{40, 57}));
  EXPECT_EQ(config.resize_mode, ResizeMode::longest);
  EXPECT_EQ(config.resample, Filter::bilinear);
  EXPECT_EQ(parse_open_clip("{}"), open_clip_transform_config());
  EXPECT_THROW(parse_open_clip(R"({"preprocess_cfg": {"interpolation": "nearest"}})"), file_error);
  EXPECT_THROW(parse_open_clip(R"({"preprocess_cfg": {"resize_mode": "stretch"}})"), file_error);
}

TEST(PreprocessorConfig, FindsTheFileInADirectory) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW(read_preprocessor_config(folder.path()), file_error);
  EXPECT_EQ(read_preprocessor_config(folder.path(), siglip_transform_config(8)), siglip_transform_config(8));
  io::write_file(folder.path("preprocessor_config.json"), R"({"size": 16, "crop_size": 16})");
  EXPECT_EQ(read_preprocessor_config(folder.path()), clip_transform_config(16));
  io::write_file(folder.path("processor_config.json"), R"({"processor_class": "CLIPProcessor"})");
  EXPECT_EQ(read_preprocessor_config(folder.path()), clip_transform_config(16));
  io::write_file(folder.path("processor_config.json"), R"({"image_processor": {"size": 20, "crop_size": 20}})");
  EXPECT_EQ(read_preprocessor_config(folder.path()), clip_transform_config(20));
}

TEST(PreprocessorConfig, WritesWhatItReads) {
  for (TransformConfig config : {clip_transform_config(48), siglip_transform_config(96)}) {
    config.do_normalize = false;
    config.image_mean = {0.1, 0.2, 1.0 / 3.0};
    EXPECT_EQ(parse(preprocessor_config_json(config)), config);
  }
  TransformConfig longest = open_clip_transform_config({8, 8}, ResizeMode::longest);
  EXPECT_THROW(preprocessor_config_json(longest), std::invalid_argument);
}

TEST(PreprocessorConfig, AgreesWithTransformersOnTheGoldenFiles) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  int parsed = 0, written = 0, refused = 0;
  for (const auto& folder : std::filesystem::directory_iterator(test::golden_images() + "/config")) {
    const std::string path = folder.path().string();
    if (!std::filesystem::exists(path + "/parsed.json")) continue;
    const std::string text = io::read_file(path + "/preprocessor_config.json", 1 << 20);
    if (path.find("naflex") != std::string::npos) {
      EXPECT_THROW(read_preprocessor_config(path), file_error) << path;
      ++refused;
      continue;
    }
    const TransformConfig config = read_preprocessor_config(path);
    EXPECT_EQ(config, read_preprocessor_config(path + "/parsed.json")) << path;  // with every default written out
    ++parsed;
    const bool saved =
        text.find("\"do_convert_rgb\": true") != std::string::npos && text.find("Fast") == std::string::npos;
    if (saved) {
      EXPECT_EQ(preprocessor_config_json(config), text) << path;
      ++written;
    }
  }
  std::cout << parsed << " configurations parsed alike, " << written << " written alike byte for byte, " << refused
            << " refused\n";
  EXPECT_GT(parsed, 15);
  EXPECT_GT(written, 8);
}

}  // namespace
}  // namespace couplet::image
