#pragma once
/// preprocessor_config.json (also nested in processor_config.json) and open_clip_config.json, read and written.
///
/// Old spellings are read: integer and list sizes, absent do_* keys, CLIPFeatureExtractor, ...Fast, do_convert_rgb null
/// (images are converted anyway). Absent keys take the defaults of the named class; unknown keys are ignored.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "couplet/image/transform_config.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"

namespace couplet::inline COUPLET_ABI::image {

namespace detail {

inline constexpr int largest_side = 16384;

inline int read_side(const io::JsonField& field) { return static_cast<int>(field.integer(1, largest_side)); }

/// n, [h, w], {"height", "width"} or {"shortest_edge"}. An integer n: a square for crop_size, the short edge for size.
inline void read_size(const io::JsonField& field, bool integer_is_square, Size& size, ResizeMode& mode) {
  mode = ResizeMode::squash;
  if (field.value().is_array()) {
    const auto sides = field.items();
    if (sides.size() != 2) field.fail("expected [height, width], found " + std::to_string(sides.size()) + " numbers");
    size = {read_side(sides[0]), read_side(sides[1])};
  } else if (!field.value().is_object()) {
    size.height = size.width = read_side(field);
    if (!integer_is_square) mode = ResizeMode::shortest_edge;
  } else if (const auto edge = field.find("shortest_edge")) {
    if (field.find("longest_edge")) field.fail("longest_edge beside shortest_edge is not supported");
    size.height = size.width = read_side(*edge);
    mode = ResizeMode::shortest_edge;
  } else {
    size = {read_side(field.at("height")), read_side(field.at("width"))};
  }
}

/// Three numbers, or one for all channels.
inline Rgb read_rgb(const io::JsonField& field, double min, double max) {
  if (!field.value().is_array()) {
    const double all = field.number(min, max);
    return {all, all, all};
  }
  const auto items = field.items();
  if (items.size() != 3) field.fail("expected 3 numbers, found " + std::to_string(items.size()));
  return {items[0].number(min, max), items[1].number(min, max), items[2].number(min, max)};
}

inline constexpr double smallest_std = 1e-6;  // a std of 0 would make every value infinite

/// The defaults of the class that a file names, or of `fallback` when it names none.
inline TransformConfig class_defaults(const io::JsonField& root, const std::optional<TransformConfig>& fallback) {
  auto field = root.find("image_processor_type");
  if (!field) field = root.find("feature_extractor_type");
  if (!field) {
    if (fallback) return *fallback;
    const auto processor = root.find("processor_class");
    const bool siglip = processor && processor->string().starts_with("Siglip");
    return siglip ? siglip_transform_config() : clip_transform_config();
  }
  std::string type = field->string();
  for (const std::string_view ending : {"Fast", "Pil"})
    if (type.ends_with(ending)) type.resize(type.size() - ending.size());
  if (type == "CLIPImageProcessor" || type == "CLIPFeatureExtractor") return clip_transform_config();
  if (type == "SiglipImageProcessor") return siglip_transform_config();
  field->fail("expected CLIPImageProcessor or SiglipImageProcessor, found \"" + printable(type) + "\"");
}

inline Filter read_interpolation(const io::JsonField& field) {
  const std::string text = field.string();
  if (text == "bicubic" || text == "random") return Filter::bicubic;  // "random": training only, bicubic at inference
  if (text == "bilinear") return Filter::bilinear;
  field.fail("expected bicubic, bilinear or random, found \"" + printable(text) + "\"");
}

inline ResizeMode read_resize_mode(const io::JsonField& field) {
  const std::string text = field.string();
  if (text == "shortest") return ResizeMode::shortest_edge;
  if (text == "squash") return ResizeMode::squash;
  if (text == "longest") return ResizeMode::longest;
  field.fail("expected shortest, longest or squash, found \"" + printable(text) + "\"");
}

inline constexpr std::uint64_t largest_config = 1 << 20;  // bytes

}  // namespace detail

/// The content of a preprocessor_config.json, or of a processor_config.json with a nested "image_processor".
/// file_error: another processor class (NaFlex among them), a value out of range, naming the key.
inline TransformConfig parse_preprocessor_config(const io::JsonField& file,
                                                 const std::optional<TransformConfig>& fallback = std::nullopt) {
  const auto nested = file.find("image_processor");
  const io::JsonField& root = nested ? *nested : file;
  TransformConfig config = detail::class_defaults(root, fallback);
  ResizeMode ignored{};
  const auto flag = [&root](const char* key, bool& value) {
    if (const auto field = root.find(key)) value = field->boolean();
  };
  flag("do_resize", config.do_resize);
  flag("do_center_crop", config.do_center_crop);
  flag("do_rescale", config.do_rescale);
  flag("do_normalize", config.do_normalize);
  if (const auto field = root.find("size")) detail::read_size(*field, false, config.size, config.resize_mode);
  if (const auto field = root.find("crop_size")) detail::read_size(*field, true, config.crop_size, ignored);
  if (const auto field = root.find("resample")) config.resample = static_cast<Filter>(field->integer(0, 5));
  if (const auto field = root.find("rescale_factor")) config.rescale_factor = field->number(1e-9, 1e9);
  if (const auto field = root.find("image_mean")) config.image_mean = detail::read_rgb(*field, -1e6, 1e6);
  if (const auto field = root.find("image_std")) config.image_std = detail::read_rgb(*field, detail::smallest_std, 1e6);
  return config;
}

/// The content of an open_clip_config.json: preprocess_cfg, with the size from model_cfg.vision_cfg.image_size.
inline TransformConfig parse_open_clip_config(const io::JsonField& file) {
  TransformConfig config = open_clip_transform_config();
  ResizeMode ignored{};
  if (const auto model = file.find("model_cfg"))
    if (const auto vision = model->find("vision_cfg"))
      if (const auto size = vision->find("image_size")) detail::read_size(*size, true, config.size, ignored);
  if (const auto preprocess = file.find("preprocess_cfg")) {
    const io::JsonField& root = *preprocess;
    if (const auto field = root.find("size")) detail::read_size(*field, true, config.size, ignored);
    if (const auto field = root.find("mean")) config.image_mean = detail::read_rgb(*field, -1e6, 1e6);
    if (const auto field = root.find("std")) config.image_std = detail::read_rgb(*field, detail::smallest_std, 1e6);
    if (const auto field = root.find("interpolation")) config.resample = detail::read_interpolation(*field);
    if (const auto field = root.find("resize_mode")) config.resize_mode = detail::read_resize_mode(*field);
    if (const auto field = root.find("fill_color")) config.fill_color = static_cast<int>(field->integer(0, 255));
  }
  config.crop_size = config.size;
  config.do_center_crop = config.resize_mode != ResizeMode::squash;
  return config;
}

/// Reads `path`: a preprocessor_config.json, a processor_config.json, or a directory that holds one (a nested
/// "image_processor" in processor_config.json wins, as in transformers). A directory that holds neither gives
/// `fallback`, or file_error without one. `fallback` also stands for the class when the file does not name it.
inline TransformConfig read_preprocessor_config(const std::string& path,
                                                const std::optional<TransformConfig>& fallback = std::nullopt) {
  const auto parse = [](const std::string& file) {
    return io::JsonField(io::Json::parse(io::read_file(file, detail::largest_config), file), file);
  };
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return parse_preprocessor_config(parse(path), fallback);
  const std::string processor = path + "/processor_config.json", preprocessor = path + "/preprocessor_config.json";
  if (std::filesystem::exists(processor, ignored)) {
    const io::JsonField file = parse(processor);
    if (file.find("image_processor")) return parse_preprocessor_config(file, fallback);
  }
  if (!std::filesystem::exists(preprocessor, ignored) && fallback) return *fallback;
  return parse_preprocessor_config(parse(preprocessor), fallback);
}

/// open_clip_config.json (a file or the directory that holds it).
inline TransformConfig read_open_clip_config(const std::string& path) {
  std::error_code ignored;
  const std::string file = std::filesystem::is_directory(path, ignored) ? path + "/open_clip_config.json" : path;
  return parse_open_clip_config(
      io::JsonField(io::Json::parse(io::read_file(file, detail::largest_config), file), file));
}

/// The text that transformers' save_pretrained would write for this configuration, byte for byte. An open_clip pipeline
/// becomes the nearest transformers class (crops of odd margins may move by one pixel).
/// std::invalid_argument: resize_mode longest, which transformers' classes do not have.
inline std::string preprocessor_config_json(const TransformConfig& config) {
  if (config.resize_mode == ResizeMode::longest)
    fail("preprocessor_config", "transformers has no resize mode \"longest\": this transform cannot be saved");
  const bool clip = config.image_processor_type == "CLIPImageProcessor";
  io::JsonWriter json;
  const auto size = [&json](const char* key, Size value) {
    json.key(key).begin_object().key("height").value(value.height).key("width").value(value.width).end_object();
  };
  const auto rgb = [&json](const char* key, const Rgb& value) {
    json.key(key).begin_array().value(value[0]).value(value[1]).value(value[2]).end_array();
  };
  json.begin_object();
  if (clip) {
    size("crop_size", config.crop_size);
    json.key("do_center_crop").value(config.do_center_crop);
  }
  json.key("do_convert_rgb").value(true).key("do_normalize").value(config.do_normalize);
  json.key("do_rescale").value(config.do_rescale).key("do_resize").value(config.do_resize);
  rgb("image_mean", config.image_mean);
  json.key("image_processor_type").value(config.image_processor_type);
  rgb("image_std", config.image_std);
  json.key("resample").value(static_cast<int>(config.resample)).key("rescale_factor").value(config.rescale_factor);
  if (config.resize_mode == ResizeMode::shortest_edge)
    json.key("size").begin_object().key("shortest_edge").value(config.size.height).end_object();
  else
    size("size", config.size);
  json.end_object();
  return json.str() + "\n";
}

}  // namespace couplet::inline COUPLET_ABI::image
