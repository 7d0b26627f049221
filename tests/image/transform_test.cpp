#include "couplet/image/transform.hpp"

#include <gtest/gtest.h>

#include "couplet/image/checksum.hpp"
#include "couplet/image/decode.hpp"
#include "image/golden.hpp"

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
      EXPECT_THROW(transform.resize_and_crop(image), std::invalid_argument) << text(entry, "case");
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

}  // namespace
}  // namespace couplet::image
