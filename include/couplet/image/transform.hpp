#pragma once
/// From a decoded image to the input of an image tower: resize, centre crop, rescale, normalise.
///
///   const auto transform = image::Transform::from_preprocessor_config("clip-vit-base-patch32");
///   std::vector<float> pixel_values(transform.values());                       // (3, H, W)
///   transform(image::decode_file("cat.jpg", transform.decode_options()), pixel_values);
///
/// The bytes after resize and crop and the float32 values are those of the chosen pipeline (transformers' PIL backend
/// by default), given the same decoded pixels. Immutable; may be used from several threads at once.
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "couplet/image/decode_options.hpp"
#include "couplet/image/normalize.hpp"
#include "couplet/image/preprocessor_config.hpp"

namespace couplet::inline COUPLET_ABI::image {

class Transform {
 public:
  /// std::invalid_argument: sizes that are not positive, a std of 0, values that are not finite.
  explicit Transform(TransformConfig config = {}) : config_(std::move(config)) {
    check();
    table_ = normalize_table(config_);
  }

  /// `path`: the file, or the model's directory. See read_preprocessor_config() for `fallback`.
  static Transform from_preprocessor_config(const std::string& path,
                                            const std::optional<TransformConfig>& fallback = std::nullopt) {
    return Transform(read_preprocessor_config(path, fallback));
  }
  /// `path`: open_clip_config.json, or the model's directory.
  static Transform from_open_clip_config(const std::string& path) { return Transform(read_open_clip_config(path)); }

  /// Writes directory/preprocessor_config.json for transformers.
  void save(const std::string& directory) const {
    io::write_file(directory + "/preprocessor_config.json", preprocessor_config_json(config_));
  }

  [[nodiscard]] const TransformConfig& config() const noexcept { return config_; }

  /// H and W of the result; 0 where they depend on the image (shortest_edge or no resize, without a crop).
  [[nodiscard]] int height() const noexcept { return fixed_size().height; }
  [[nodiscard]] int width() const noexcept { return fixed_size().width; }
  /// 3 H W.
  [[nodiscard]] std::size_t values() const noexcept {
    return 3 * static_cast<std::size_t>(height()) * static_cast<std::size_t>(width());
  }

  /// What decode() must do for the images of this transform: transparency on white for transformers; kept for
  /// open_clip, which resizes it and drops it at the end.
  [[nodiscard]] DecodeOptions decode_options() const {
    DecodeOptions options;
    if (config_.pipeline == Pipeline::open_clip) options.transparency = Transparency::keep;
    return options;
  }

  /// (H, W) of the result for an image of this size.
  [[nodiscard]] Size output_size(Size image) const {
    return config_.do_center_crop ? config_.crop_size : resized_size(image);
  }

  /// Resize and crop alone: 8-bit pixels, opaque.
  [[nodiscard]] Image resize_and_crop(const Image& image) const {
    check_image("Transform", image);
    if (config_.pipeline != Pipeline::open_clip && !image.alpha.empty()) return resize_and_crop(on_white(image));
    const Size source{image.height, image.width}, resized = resized_size(source), out = output_size(source);
    const auto rows = crop_axis(resized.height, out.height), columns = crop_axis(resized.width, out.width);
    const Window window{rows.offset, columns.offset, out.height - rows.pad_before - rows.pad_after,
                        out.width - columns.pad_before - columns.pad_after};
    Image crop = resize_window(image, resized.height, resized.width, window, resize_options(image));
    crop.alpha.clear();
    crop.indexed = false;
    if (crop.height == out.height && crop.width == out.width) return crop;
    return padded(crop, out, rows.pad_before, columns.pad_before);
  }

  /// Rescale and normalise alone: image (H, W) to out (3, H, W).
  void normalize(const Image& image, std::span<float> out) const {
    check_image("Transform", image);
    if (out.size() != image.pixels.size())
      fail("Transform", "out has " + std::to_string(out.size()) + " values but the image needs (3, " +
                            std::to_string(image.height) + ", " + std::to_string(image.width) + ")");
    image::normalize(image.pixels, table_, out.data());
  }

  /// image to out (3, H, W); (H, W) = output_size of the image.
  void operator()(const Image& image, std::span<float> out) const {
    Image crop = resize_and_crop(image);
    normalize(crop, out);
    recycled_bytes().give(std::move(crop.pixels));
  }

  /// The same for a buffer of values() floats. std::invalid_argument when the result has no fixed size.
  void operator()(const Image& image, float* out) const {
    if (values() == 0) fail("Transform", "the size of the result depends on the image: pass a span");
    (*this)(image, std::span<float>(out, values()));
  }

  /// One line for people: "CLIPImageProcessor: shortest edge 224 bicubic, center crop (224, 224), ...".
  [[nodiscard]] std::string describe() const {
    static constexpr const char* pipelines[] = {"transformers, PIL", "transformers, torchvision", "open_clip"};
    std::string text = config_.pipeline == Pipeline::open_clip ? "open_clip transform" : config_.image_processor_type;
    text += " (";
    text += pipelines[static_cast<int>(config_.pipeline)];
    text += "): ";
    if (config_.do_resize) text += describe_resize() + ", ";
    if (config_.do_center_crop)
      text += "center crop " + shape_text(config_.crop_size.height, config_.crop_size.width) + ", ";
    if (config_.do_rescale) text += "rescale " + number(config_.rescale_factor) + ", ";
    text += config_.do_normalize ? "mean " + numbers(config_.image_mean) + ", std " + numbers(config_.image_std)
                                 : std::string("not normalized");
    return text;
  }

 private:
  void check() const {
    const auto positive = [](const char* key, Size size) {
      if (size.height < 1 || size.width < 1 || size.height > detail::largest_side || size.width > detail::largest_side)
        fail("Transform", std::string(key) + " " + shape_text(size.height, size.width) + " is not in [1, 16384]");
    };
    if (config_.do_resize) positive("size", config_.size);
    if (config_.do_center_crop) positive("crop_size", config_.crop_size);
    if (config_.resize_mode == ResizeMode::longest && config_.pipeline != Pipeline::open_clip)
      fail("Transform", "resize mode longest belongs to open_clip");
    if (config_.fill_color < 0 || config_.fill_color > 255) fail("Transform", "fill_color is not in [0, 255]");
    if (!(config_.rescale_factor >= 1e-9 && config_.rescale_factor <= 1e9))
      fail("Transform", "rescale_factor is not in [1e-9, 1e9]");
    for (std::size_t c = 0; c < 3; ++c)
      if (!(config_.image_std[c] >= detail::smallest_std && config_.image_std[c] <= 1e6 &&
            config_.image_mean[c] >= -1e6 && config_.image_mean[c] <= 1e6))
        fail("Transform", "expected image_mean in [-1e6, 1e6] and image_std in [1e-6, 1e6]");
  }

  [[nodiscard]] Size fixed_size() const noexcept {
    if (config_.do_center_crop) return config_.crop_size;
    return config_.do_resize && config_.resize_mode == ResizeMode::squash ? config_.size : Size{};
  }

  [[nodiscard]] Size resized_size(Size image) const {
    if (!config_.do_resize) return image;
    switch (config_.resize_mode) {
      case ResizeMode::squash:
        return config_.size;
      case ResizeMode::longest:
        return keep_ratio_size(image, config_.size, true);
      case ResizeMode::shortest_edge:
        break;
    }
    return config_.size.height == config_.size.width ? shortest_edge_size(image, config_.size.height)
                                                     : keep_ratio_size(image, config_.size, false);
  }

  [[nodiscard]] CropAxis crop_axis(int resized, int out) const {
    return config_.do_center_crop ? center_crop_axis(resized, out, config_.pipeline) : CropAxis{0, 0, 0};
  }

  [[nodiscard]] ResizeOptions resize_options(const Image& image) const {
    ResizeOptions options{config_.resample, config_.pass_order, ResizeEngine::pillow};
    if (config_.pipeline == Pipeline::transformers_torchvision)
      options = {config_.resample, PassOrder::horizontal_first, ResizeEngine::torchvision};
    if (config_.pipeline == Pipeline::open_clip) {
      // open_clip does not pass its interpolation on when the size is not square.
      if (config_.resize_mode == ResizeMode::shortest_edge && config_.size.height != config_.size.width)
        options.filter = Filter::bicubic;
      if (image.indexed) options.filter = Filter::nearest;
    }
    return options;
  }

  /// `crop` at (top, left) of an image of size `out` filled with fill_color ("longest") or 0.
  [[nodiscard]] Image padded(const Image& crop, Size out, int top, int left) const {
    const int fill = config_.resize_mode == ResizeMode::longest ? config_.fill_color : 0;
    Image image{out.width, out.height, {}};
    image.pixels.assign(checked_bytes("Transform", out.height, out.width, 3), static_cast<std::uint8_t>(fill));
    for (int y = 0; y < crop.height; ++y)
      std::copy_n(crop.pixels.begin() + std::ptrdiff_t{y} * crop.width * 3, crop.width * 3,
                  image.pixels.begin() + (std::ptrdiff_t{top + y} * out.width + left) * 3);
    return image;
  }

  [[nodiscard]] std::string describe_resize() const {
    static constexpr const char* modes[] = {"shortest edge ", "squash to ", "longest edge "};
    const bool edge = config_.resize_mode != ResizeMode::squash && config_.size.height == config_.size.width;
    std::string text = modes[static_cast<int>(config_.resize_mode)];
    text += edge ? std::to_string(config_.size.height) : shape_text(config_.size.height, config_.size.width);
    return text + " " + name(config_.resample);
  }
  static std::string number(double value) { return io::JsonWriter(0).value(value).str(); }
  static std::string numbers(const Rgb& rgb) {
    return "(" + number(rgb[0]) + ", " + number(rgb[1]) + ", " + number(rgb[2]) + ")";
  }

  TransformConfig config_;
  NormalizeTable table_{};
};

}  // namespace couplet::inline COUPLET_ABI::image
