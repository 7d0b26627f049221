#pragma once
/// From the bytes of a PNG or JPEG file to 8-bit RGB, with the pixels of Pillow's Image.open(f).convert("RGB").
///
/// Files are hostile: size, structure and checksums are checked (png_guard.hpp, jpeg_guard.hpp) before a decoder runs.
/// PNG: stb_image, byte-exact. JPEG: libjpeg-turbo where COUPLET_HAVE_LIBJPEG is defined, byte-exact; otherwise
/// stb_image (differences of at most 4, and of one column of 4:2:2 images). 16-bit samples: the high byte, for grey
/// images too (Pillow clips those to 255). gAMA and colour profiles are ignored.
#include <string>
#include <utility>

#include "couplet/image/exif.hpp"
#include "couplet/image/jpeg_guard.hpp"
#include "couplet/image/jpeg_turbo.hpp"
#include "couplet/image/png_guard.hpp"
#include "couplet/image/stb.hpp"
#include "couplet/io/file.hpp"

// Translation units with and without libjpeg may be linked together: each calls its own functions.
#if defined(COUPLET_HAVE_LIBJPEG)
#define COUPLET_JPEG_ABI_ with_libjpeg
#else
#define COUPLET_JPEG_ABI_ with_stb
#endif

namespace couplet::inline COUPLET_ABI::image {

namespace detail {

/// Grey (1, 2 channels with alpha) or RGB (3, 4 with alpha) samples to an image; alpha goes to Image::alpha.
inline Image to_image(const std::uint8_t* samples, int width, int height, int channels) {
  Image image{width, height, {}};
  image.pixels.resize(checked_bytes("decode", height, width, 3));
  const std::size_t n = image.pixels.size() / 3, step = static_cast<std::size_t>(channels);
  const bool rgb = channels >= 3;
  if (channels == 3) {
    std::memcpy(image.pixels.data(), samples, image.pixels.size());
    return image;
  }
  if (channels != 1) image.alpha.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < 3; ++c) image.pixels[3 * i + c] = samples[i * step + (rgb ? c : 0)];
    if (channels != 1) image.alpha[i] = samples[i * step + step - 1];
  }
  return image;
}

/// stb needs at most 24 bytes a pixel (interlaced 16-bit RGBA) beside the compressed data.
inline std::uint64_t stb_budget(int width, int height, std::size_t file_bytes) noexcept {
  return 24 * static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) + 2 * file_bytes + (16u << 20u);
}

inline Image checked_stb(const stb::Decoded& decoded, int width, int height, const char* format,
                         std::string_view path) {
  if (!decoded.pixels)
    bad_image(path, std::string(format) + ": damaged data (" + (decoded.error ? decoded.error : "unknown") + ")");
  if (decoded.width != width || decoded.height != height)
    bad_image(path, std::string(format) + ": the decoder found another size than the header");
  return to_image(decoded.pixels.get(), width, height, decoded.channels);
}

inline Image decode_png(Bytes file, const DecodeOptions& options, std::string_view path, int& orientation) {
  const PngFile png = check_png(file, options.limits, path);
  orientation = exif_orientation(png.exif);
  const auto rewritten = rewritten_png(png, options.transparency == Transparency::white);
  Image image = checked_stb(stb::decode(rewritten, 0, stb_budget(png.width, png.height, rewritten.size())), png.width,
                            png.height, "PNG", path);
  image.indexed =
      options.transparency == Transparency::keep && (png.color_type == 3 || (png.color_type == 0 && png.depth == 1));
  return image;
}

/// What stb would decode into other colours than libjpeg is refused.
inline Image decode_jpeg_stb(Bytes file, const JpegFile& jpeg, std::string_view path) {
  if (jpeg.largest_table) bad_image(path, "JPEG: a Huffman table of 256 symbols needs libjpeg");
  if (jpeg.components == 4 && jpeg.adobe_transform != 0 && jpeg.adobe_transform != 2)
    bad_image(path, "JPEG: four components without an Adobe marker need libjpeg");
  if (jpeg.rgb_ids() && (jpeg.jfif || jpeg.adobe_transform > 0))
    bad_image(path, "JPEG: components named R, G, B in a YCbCr file need libjpeg");
  return checked_stb(
      stb::decode(file.first(jpeg.end), jpeg.components == 1 ? 1 : 3, stb_budget(jpeg.width, jpeg.height, file.size())),
      jpeg.width, jpeg.height, "JPEG", path);
}

inline namespace COUPLET_JPEG_ABI_ {

inline Image decode_jpeg(Bytes file, const JpegFile& jpeg, std::string_view path,
                         [[maybe_unused]] std::vector<std::uint8_t> storage) {
#if defined(COUPLET_HAVE_LIBJPEG)
  turbo::Samples samples = turbo::decode(file.first(jpeg.end), path, std::move(storage));
  if (samples.width != jpeg.width || samples.height != jpeg.height)
    bad_image(path, "JPEG: the decoder found another size than the header");
  if (samples.channels == 3) return {samples.width, samples.height, std::move(samples.data)};
  if (samples.channels == 1) return to_image(samples.data.data(), samples.width, samples.height, 1);
  // CMYK as Pillow converts it: samples inverted, then k = 255 - K; R = k - (C k) / 255, rounded.
  Image image{samples.width, samples.height, {}};
  image.pixels.resize(samples.data.size() / 4 * 3);
  for (std::size_t i = 0; i < samples.data.size() / 4; ++i) {
    const int k = samples.data[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c)
      image.pixels[3 * i + c] = static_cast<std::uint8_t>(k - multiply_255(255 - samples.data[4 * i + c], k));
  }
  return image;
#else
  return decode_jpeg_stb(file, jpeg, path);
#endif
}

}  // namespace COUPLET_JPEG_ABI_

inline std::string first_bytes(Bytes file) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < file.size() && i < 8; ++i) {
    if (i > 0) text += ' ';
    text += hex[file[i] >> 4];
    text += hex[file[i] & 15];
  }
  return text.empty() ? "none" : text;
}

}  // namespace detail

inline namespace COUPLET_JPEG_ABI_ {

/// Decodes a PNG or JPEG file held in memory; the content decides, not a name. `path` is for messages.
/// file_error: another type, damaged, over a limit. std::bad_alloc.
/// `storage` is memory to reuse, for instance the pixels of an image that is no longer needed: it saves the page faults
/// of fresh memory (a third of the time of a large JPEG).
inline Image decode(std::span<const std::uint8_t> file, const DecodeOptions& options = {}, std::string_view path = {},
                    std::vector<std::uint8_t> storage = {}) {
  if (file.size() > options.limits.file_bytes)
    bad_image(path, "expected at most " + std::to_string(options.limits.file_bytes) + " bytes, found " +
                        std::to_string(file.size()));
  Image image;
  int orientation = 1;
  if (holds(file, 0, png_signature)) {
    image = detail::decode_png(file, options, path, orientation);
  } else if (holds(file, 0, "\xff\xd8\xff")) {
    const JpegFile jpeg = check_jpeg(file, options.limits, path);
    orientation = exif_orientation(jpeg.exif);
    image = detail::decode_jpeg(file, jpeg, path, std::move(storage));
  } else {
    bad_image(path, "unsupported image type, expected PNG or JPEG, first bytes " + detail::first_bytes(file));
  }
  if (options.transparency == Transparency::white && !image.alpha.empty()) image = on_white(std::move(image));
  if (options.transparency == Transparency::drop) image.alpha.clear();
  return options.apply_exif_orientation && orientation != 1 ? upright(image, orientation) : image;
}

inline Image decode(std::span<const std::byte> file, const DecodeOptions& options = {}, std::string_view path = {},
                    std::vector<std::uint8_t> storage = {}) {
  return decode({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, options, path, std::move(storage));
}

inline Image decode(std::string_view file, const DecodeOptions& options = {}, std::string_view path = {},
                    std::vector<std::uint8_t> storage = {}) {
  return decode({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, options, path, std::move(storage));
}

/// Decodes a file on disk. file_error as above, and when it cannot be read or is larger than limits.file_bytes.
inline Image decode_file(const std::string& path, const DecodeOptions& options = {}) {
  return decode(io::read_file(path, options.limits.file_bytes), options, path);
}

}  // namespace COUPLET_JPEG_ABI_
}  // namespace couplet::inline COUPLET_ABI::image
