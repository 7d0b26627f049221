#pragma once
/// Everything about a PNG file that can be checked before a decoder sees it: signature, chunk lengths, order and
/// checksums, header fields, palette, zlib header, and whether the compressed data can hold the declared pixels at all.
///
/// Strict about structure, checksums and limits; lenient about metadata and bytes after IEND. The decoder gets a new
/// file with nothing but what was checked, its palette filled up to 256 entries with black, so that no index is out of
/// range. Reference: the PNG specification (W3C, second edition).
#include <algorithm>
#include <vector>

#include "couplet/image/checksum.hpp"
#include "couplet/image/guard.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::image {

inline constexpr std::string_view png_signature("\x89PNG\r\n\x1a\n", 8);

/// A PNG file whose structure is sound. The spans point into the file.
struct PngFile {
  int width = 0, height = 0;
  int depth = 0;       ///< bits a sample: 1, 2, 4, 8, 16
  int color_type = 0;  ///< 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  bool interlaced = false;
  Bytes header;        ///< the 13 bytes of IHDR
  Bytes palette;       ///< 3 bytes an entry, 1 to 256 entries
  Bytes transparency;  ///< tRNS of a legal length for this colour type, or empty
  Bytes exif;
  std::vector<Bytes> data;  ///< IDAT

  [[nodiscard]] int channels() const noexcept {
    return color_type == 2 ? 3 : color_type == 4 ? 2 : color_type == 6 ? 4 : 1;
  }
};

namespace detail {

class PngWalk {
 public:
  PngWalk(Bytes file, const DecodeLimits& limits, std::string_view path) : file_(file), limits_(limits), path_(path) {}

  PngFile run() {
    std::size_t at = png_signature.size();
    bool ended = false;
    while (!ended) {
      if (file_.size() - at < 12) error("the file is truncated: IEND is missing");
      const std::uint32_t length = big32(file_, at);
      const std::string_view type(reinterpret_cast<const char*>(file_.data()) + at + 4, 4);
      if (length > file_.size() - at - 12)
        error("chunk " + printable(type) + " of " + std::to_string(length) + " bytes is longer than the file");
      const Bytes content = file_.subspan(at + 8, length);
      if (crc32(file_.subspan(at + 4, length + 4)) != big32(file_, at + 8 + length))
        error("wrong checksum of chunk " + printable(type));
      ended = chunk(type, content);
      at += length + 12;
    }
    check_data();
    return png_;
  }

 private:
  [[noreturn]] void error(const std::string& what) const { bad_image(path_, "PNG: " + what); }

  /// True at the end of the file.
  bool chunk(std::string_view type, Bytes content) {
    if (png_.header.empty() != (type == "IHDR"))
      error(png_.header.empty() ? "the first chunk is not IHDR" : "two IHDR chunks");
    const bool after_data = !png_.data.empty() && type != "IDAT";
    data_ended_ = data_ended_ || after_data;
    if (type == "IHDR") {
      header(content);
    } else if (type == "IDAT") {
      if (data_ended_) error("IDAT chunks are not consecutive");
      if (png_.color_type == 3 && png_.palette.empty()) error("PLTE is missing");
      png_.data.push_back(content);
    } else if (type == "PLTE") {
      palette(content);
    } else if (type == "tRNS" && png_.transparency.empty()) {
      transparency(content);
    } else if (type == "eXIf") {
      png_.exif = content;
    } else if (type == "IEND") {
      return true;
    } else if (type[0] < 'a' || type[0] > 'z') {
      error("unknown critical chunk " + printable(type));
    }
    return false;
  }

  void header(Bytes content) {
    if (content.size() != 13) error("IHDR of " + std::to_string(content.size()) + " bytes, expected 13");
    check_limits(big32(content, 0), big32(content, 4), limits_, path_);
    png_.header = content;
    png_.width = static_cast<int>(big32(content, 0));
    png_.height = static_cast<int>(big32(content, 4));
    png_.depth = content[8];
    png_.color_type = content[9];
    const bool power = png_.depth == 1 || png_.depth == 2 || png_.depth == 4;
    const bool bytes = png_.depth == 8 || png_.depth == 16;
    const bool allowed = png_.color_type == 0 ? power || bytes
                         : png_.color_type == 3
                             ? power || png_.depth == 8
                             : bytes && (png_.color_type == 2 || png_.color_type == 4 || png_.color_type == 6);
    if (!allowed)
      error("colour type " + std::to_string(png_.color_type) + " with " + std::to_string(png_.depth) +
            " bits a sample");
    if (content[10] != 0) error("compression method " + std::to_string(content[10]));
    if (content[11] != 0) error("filter method " + std::to_string(content[11]));
    if (content[12] > 1) error("interlace method " + std::to_string(content[12]));
    png_.interlaced = content[12] == 1;
  }

  void palette(Bytes content) {
    if (!png_.data.empty() || !png_.palette.empty()) error("PLTE after IDAT, or a second one");
    if (content.empty() || content.size() % 3 != 0 || content.size() > 768)
      error("PLTE of " + std::to_string(content.size()) + " bytes");
    png_.palette = content;
  }

  /// Metadata of a wrong length or in the wrong place is left out, as Pillow does.
  void transparency(Bytes content) {
    if (!png_.data.empty()) return;
    if (png_.color_type == 3) png_.transparency = content.first(std::min<std::size_t>(content.size(), 256));
    if (png_.color_type == 0 && content.size() == 2) png_.transparency = content;
    if (png_.color_type == 2 && content.size() == 6) png_.transparency = content;
  }

  /// Bytes of a picture of this size before compression, filter bytes included.
  [[nodiscard]] std::uint64_t raw_bytes(std::uint64_t width, std::uint64_t height) const {
    const auto bits = static_cast<std::uint64_t>(png_.depth) * static_cast<std::uint64_t>(png_.channels());
    return width == 0 || height == 0 ? 0 : height * (1 + (width * bits + 7) / 8);
  }
  [[nodiscard]] std::uint64_t raw_bytes() const {
    const auto w = static_cast<std::uint64_t>(png_.width), h = static_cast<std::uint64_t>(png_.height);
    if (!png_.interlaced) return raw_bytes(w, h);
    return raw_bytes((w + 7) / 8, (h + 7) / 8) + raw_bytes((w + 3) / 8, (h + 7) / 8) +  // Adam7
           raw_bytes((w + 3) / 4, (h + 3) / 8) + raw_bytes((w + 1) / 4, (h + 3) / 4) +
           raw_bytes((w + 1) / 2, (h + 1) / 4) + raw_bytes(w / 2, (h + 1) / 2) + raw_bytes(w, h / 2);
  }

  void check_data() const {
    std::uint64_t size = 0;
    std::uint8_t first[2] = {0, 0};
    for (const Bytes part : png_.data)
      for (std::size_t i = 0; i < part.size(); ++i, ++size) {
        if (size >= 2) {
          size += part.size() - i;
          break;
        }
        first[size] = part[i];
      }
    if (size < 7) error(png_.data.empty() ? "no IDAT" : "empty IDAT");
    const bool zlib = (first[0] & 15) == 8 && first[0] >> 4 <= 7 && (first[0] << 8 | first[1]) % 31 == 0;
    if (!zlib || (first[1] & 0x20) != 0) error("IDAT is not a zlib stream");
    if (raw_bytes() / 1032 > size)  // deflate cannot shrink by more
      error("the file is truncated: " + std::to_string(size) + " bytes of IDAT cannot hold " +
            std::to_string(png_.width) + "x" + std::to_string(png_.height) + " pixels");
  }

  Bytes file_;
  const DecodeLimits& limits_;
  std::string_view path_;
  PngFile png_;
  bool data_ended_ = false;
};

}  // namespace detail

/// Checks a file that begins with the PNG signature. file_error naming what is wrong.
inline PngFile check_png(Bytes file, const DecodeLimits& limits, std::string_view path) {
  return detail::PngWalk(file, limits, path).run();
}

/// A PNG file for the decoder: IHDR, PLTE of 256 entries, tRNS if asked for, one IDAT, IEND. Checksums are left 0: they
/// were checked above and stb does not read them.
inline std::vector<std::uint8_t> rewritten_png(const PngFile& png, bool with_transparency) {
  std::vector<std::uint8_t> out(png_signature.begin(), png_signature.end());
  const auto begin = [&out](std::string_view type, std::size_t length) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(length >> shift));
    out.insert(out.end(), type.begin(), type.end());
  };
  const auto end = [&out] { out.resize(out.size() + 4); };
  const auto chunk = [&](std::string_view type, Bytes content, std::size_t length) {
    begin(type, length);
    out.insert(out.end(), content.begin(), content.end());
    out.resize(out.size() + length - content.size());
    end();
  };
  std::size_t data = 0;
  for (const Bytes part : png.data) data += part.size();
  out.reserve(data + 2048);
  chunk("IHDR", png.header, png.header.size());
  if (png.color_type == 3) chunk("PLTE", png.palette, 768);
  if (with_transparency && !png.transparency.empty()) chunk("tRNS", png.transparency, png.transparency.size());
  begin("IDAT", data);
  for (const Bytes part : png.data) out.insert(out.end(), part.begin(), part.end());
  end();
  chunk("IEND", {}, 0);
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::image
